"""To which address bills go: the organization's own, else an owner's (spec 04, Outbox and provider customers).

Apps above register what follows when it may be another; tenants never calls upward by name.
"""

from __future__ import annotations

from typing import Protocol

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.registry import Registry
from apps.tenants.models import Organization
from apps.tenants.selectors.members import owner_emails


class Follower(Protocol):
    """Called inside the changing transaction. `is_changed`: the organization's own address was set or removed."""

    def __call__(self, context: ExecutionContext, *, organization_id: OrganizationId, is_changed: bool) -> object: ...


_followers: Registry[Follower] = Registry("follower of the billing contact")


def register(name: str, follower: Follower) -> None:
    """Add a follower under a unique name."""
    _followers.register(name, follower)


def tell(context: ExecutionContext, organization_id: OrganizationId, *, is_changed: bool = False) -> None:
    """Tell every follower that bills may go to another address now."""
    for follower in _followers.values():
        follower(context, organization_id=organization_id, is_changed=is_changed)


def billing_address(organization_id: OrganizationId) -> str:
    """Where bills go; empty where there is neither an address of the organization's own nor an owner."""
    own = Organization.objects.values_list("billing_email", flat=True).get(pk=organization_id)
    return own or next(iter(owner_emails(organization_id)), "")
