"""A person's role in an organization and on the platform as of a moment, read from the audit log (spec 03, History)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.core.enums import Role
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.access import platform_role
from apps.tenants.events import MEMBERSHIP_REMOVED, STAFF_ROLE_SET
from apps.tenants.models import Membership, MembershipRemoval, User


@dataclass(frozen=True, slots=True)
class RoleThen:
    """A role as of a moment. `gap` says in a sentence what of it the log does not tell; empty: it tells all."""

    role: Role | None
    gap: str = ""


def member_as_of(organization_id: OrganizationId, user_id: UserId, moment: datetime) -> RoleThen:
    """The person's role in the organization as of the moment; None for who was no member."""
    removed = AuditEntry.objects.filter(
        organization_id=organization_id,
        event=MEMBERSHIP_REMOVED.name,
        recorded_at__gt=moment,
        before__user_id=str(user_id),
    )
    ended = list(removed.order_by("recorded_at").values_list("target_id", flat=True))
    current = Membership.objects.filter(organization=organization_id, user=user_id).values_list("pk", flat=True)
    for key in [*ended, *map(str, current)]:
        last = _entries("membership", key).filter(recorded_at__lte=moment).last()
        if last is not None and last.event != MEMBERSHIP_REMOVED.name:
            return RoleThen(Role(last.after["role"]))
    left_later = MembershipRemoval.objects.filter(organization=organization_id, user=user_id, removed_at__gt=moment)
    if ended or not left_later.exists():
        return RoleThen(None)
    # Entries of the releases before don't name the person.
    return RoleThen(
        None, "This person left later; since when they had been a member is not recorded. Taken as no member."
    )


def platform_role_as_of(user: User, moment: datetime) -> RoleThen:
    """The person's platform role as of the moment."""
    entries = _entries("user", str(user.pk)).filter(event=STAFF_ROLE_SET.name)
    last = entries.filter(recorded_at__lte=moment).last()
    following = entries.filter(recorded_at__gt=moment).first()
    if last is None and following is None:
        role = platform_role(user)
        return RoleThen(role, "Since when the platform role is given is not recorded. Taken as today." if role else "")
    names = last.after.get("roles", []) if last is not None else following.before.get("roles", []) if following else []
    return RoleThen(next((role for role in PLATFORM_LADDER if role.value in names), None))


def _entries(kind: str, key: str) -> QuerySet[AuditEntry]:
    """The record's entries, oldest first."""
    return AuditEntry.objects.filter(target_type=kind, target_id=key).order_by("recorded_at", "sequence")
