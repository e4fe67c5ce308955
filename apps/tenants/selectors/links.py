"""Sign-in links to read, and the function that locks one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.core.ids import UserId
from apps.tenants.link_rules import hash_link_secret, is_link_secret
from apps.tenants.models import Membership, Organization, SignInLink

_WITH = ("user", "organization", "workspace", "product", "service_token")


def link_by_token(token: str) -> SignInLink | None:
    """The link with this secret, in whatever state."""
    if not is_link_secret(token):
        return None
    return SignInLink.objects.select_related(*_WITH).filter(token_hash=hash_link_secret(token)).first()


def link_by_id(link_id: UUID) -> SignInLink | None:
    """The link with its related rows."""
    return SignInLink.objects.select_related(*_WITH).filter(pk=link_id).first()


def link_for_update(link_id: UUID) -> SignInLink | None:
    """Lock the link until the transaction ends; the caller has locked its user before."""
    links = SignInLink.objects.select_for_update(no_key=True, of=("self",)).select_related(*_WITH)
    return links.filter(pk=link_id).first()


def links_sent_since(user_id: UserId, kind: str, moment: datetime) -> int:
    """How many links of the kind the person was sent since then."""
    return SignInLink.objects.filter(user=user_id, kind=kind, created_at__gt=moment).count()


def real_organizations_of(user_id: UserId) -> list[Organization]:
    """The person's open organizations that are neither demo nor synthetic, the oldest membership first."""
    memberships = (
        Membership.objects.filter(user=user_id, organization__closed_at=None)
        .filter(organization__is_demo=False, organization__is_synthetic=False)
        .select_related("organization")
        .order_by("created_at", "pk")
    )
    return [membership.organization for membership in memberships]


def belongs_to_demos_alone(user_id: UserId) -> bool:
    """Whether every organization of the person is a demo or synthetic one, from which nothing leaves the building."""
    memberships = Membership.objects.filter(user=user_id)
    real = memberships.filter(organization__is_demo=False, organization__is_synthetic=False)
    return memberships.exists() and not real.exists()


def is_member(user_id: UserId, organization_id: UUID) -> bool:
    """Whether the person belongs to the organization now."""
    return Membership.objects.filter(user=user_id, organization=organization_id).exists()
