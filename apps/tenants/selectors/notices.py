"""Who gets a kind of mail about an organization."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId
from apps.core.mails import public_address
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models import Membership, NoticeChoice, Workspace
from apps.tenants.notice_rules import USUAL, Reader, readers_of

_BY_ROLE = (MembershipRole.OWNER, MembershipRole.ADMIN)


@dataclass(frozen=True, slots=True)
class Notices:
    """What holds of one kind of mail: who is chosen by role, who by name, and who gets it now."""

    kind: NoticeKind
    audience: NoticeAudience
    chosen: tuple[Reader, ...]
    readers: tuple[Reader, ...]


def notices_of(organization_id: OrganizationId, kind: NoticeKind) -> Notices:
    """Read it as of now, from active members alone."""
    row = NoticeChoice.objects.filter(organization=organization_id, kind=kind).first()
    audience = NoticeAudience(row.audience) if row else USUAL[kind]
    chosen: list[UUID] = row.chosen if row else []
    found = Membership.objects.filter(
        Q(role__in=_BY_ROLE) | Q(user__in=chosen), organization=organization_id, user__is_active=True
    )
    values = found.values_list("user", "user__email", "role")
    people = [Reader(user_id, email, MembershipRole(role)) for user_id, email, role in values]
    named = tuple(sorted((one for one in people if one.user_id in chosen), key=lambda reader: reader.email))
    return Notices(kind, audience, named, tuple(readers_of(audience, chosen, people)))


def notice_emails(organization_id: OrganizationId, kind: NoticeKind) -> list[str]:
    """The addresses that a mail of the kind goes to."""
    return [reader.email for reader in notices_of(organization_id, kind).readers]


def notices_address(organization_id: OrganizationId) -> str:
    """The full address of the page where this is chosen; empty where the organization has no page."""
    slug = Workspace.objects.filter(organization=organization_id).order_by("name", "pk").values_list("slug", flat=True)
    first = slug.first()
    return public_address(reverse("billing-notices", args=[first])) if first else ""
