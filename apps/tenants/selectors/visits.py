"""Visits from products: the session of a portal link, looked up anew at every request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from apps.core import clock
from apps.core.ids import UserId, WorkspaceId
from apps.tenants.enums import LinkKind
from apps.tenants.models import Membership, ProductRelation, SignInLink


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit is, whether or not it still lasts."""

    user_id: UserId
    workspace_id: WorkspaceId
    workspace_slug: str
    product_name: str
    return_url: str
    time_zone: str
    ends_at: datetime
    is_live: bool


def visit_of(link_id: UUID) -> Visit | None:
    """The visit that the link began. It lives while its hour lasts, the person belongs there, and the product may ask:
    the token that asked is not revoked and the two are related (or it was the identity service's).
    """
    link = (
        SignInLink.objects.filter(pk=link_id, kind=LinkKind.PORTAL, used_at__isnull=False)
        .select_related("workspace", "organization", "product")
        .annotate(is_allowed=permission(clock.now()))
        .first()
    )
    if link is None or link.workspace is None or link.product is None or link.organization is None:
        return None
    ends_at = link.ends_at or link.expires_at
    return Visit(
        user_id=UserId(link.user_id),
        workspace_id=WorkspaceId(link.workspace.pk),
        workspace_slug=link.workspace.slug,
        product_name=link.product.name,
        return_url=link.return_url,
        time_zone=link.organization.time_zone,
        ends_at=ends_at,
        is_live=link.is_allowed and clock.now() < ends_at,
    )


def permission(now: datetime) -> Q:
    """What must hold of a portal link's person and product, when it is used and for as long as the visit lasts."""
    member = Membership.objects.filter(user=OuterRef("user"), organization=OuterRef("organization"))
    related = ProductRelation.objects.filter(product=OuterRef("product"), organization=OuterRef("organization"))
    return Q(
        Exists(member),
        Q(Exists(related)) | Q(service_token__scopes__contains=["tenants:manage"]),
        Q(service_token__expires_at=None) | Q(service_token__expires_at__gt=now),
        service_token__revoked_at=None,
        service_token__isnull=False,
        organization__closed_at=None,
        user__is_active=True,
    )


def is_permitted(link_id: UUID) -> bool:
    """Whether the link's person and product may still have this visit."""
    return SignInLink.objects.filter(permission(clock.now()), pk=link_id).exists()
