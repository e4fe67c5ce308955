"""Memberships to read, and the function that locks one."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, UserId
from apps.tenants.models import Membership, MembershipRemoval, User

SUPPORT, FORMER_MEMBER = "support", "a former member"


def membership_for_update(organization_id: OrganizationId, user_id: UserId) -> Membership | None:
    """Lock the membership until the transaction ends; the caller has locked the organization before."""
    return Membership.objects.select_for_update(no_key=True).filter(organization=organization_id, user=user_id).first()


def membership_of(organization_id: OrganizationId, user_id: UserId) -> Membership | None:
    return Membership.objects.filter(organization=organization_id, user=user_id).first()


def members_of(organization_id: OrganizationId) -> QuerySet[Membership]:
    return Membership.objects.filter(organization=organization_id)


def members_page(
    organization_id: OrganizationId, *, matching: str, after: str, size: int
) -> tuple[list[Membership], str]:
    """Members with their users, by e-mail address from behind `after` on, and the address to go on from, if any."""
    rows = members_of(organization_id).select_related("user", "origin_product").order_by("user__email")
    if matching:
        rows = rows.filter(Q(user__email__icontains=matching) | Q(user__name__icontains=matching))
    if after:
        rows = rows.filter(user__email__gt=after)
    found = list(rows[: size + 1])
    return found[:size], found[size - 1].user.email if len(found) > size else ""


def removal_of(organization_id: OrganizationId, user_id: UserId) -> MembershipRemoval | None:
    """When the user's membership last ended, if it ever did."""
    return MembershipRemoval.objects.filter(organization=organization_id, user=user_id).first()


def is_last_owner(membership: Membership) -> bool:
    """Whether the organization would have no owner without this membership."""
    if membership.role != MembershipRole.OWNER:
        return False
    owners = Membership.objects.filter(organization=membership.organization_id, role=MembershipRole.OWNER)
    return not owners.exclude(pk=membership.pk).exists()


def people_for_tenant(organization_id: OrganizationId, emails: Iterable[str]) -> dict[str, str]:
    """What the organization's people may read of who has these addresses, in one query.

    A member is told by their address. Our staff are `support`, and anybody else is no member any more.
    """
    wanted = {email for email in emails if "@" in email}
    if not wanted:
        return {}
    is_member = Exists(Membership.objects.filter(organization=organization_id, user=OuterRef("pk")))
    people = User.objects.filter(email__in=wanted).annotate(is_member=is_member)
    found = people.values_list("email", "is_staff", "is_member")
    return {email: email if member else SUPPORT if is_staff else FORMER_MEMBER for email, is_staff, member in found}


def owner_emails(organization_id: OrganizationId) -> list[str]:
    """The e-mail addresses of the organization's owners, in alphabetical order."""
    owners = Membership.objects.filter(organization=organization_id, role=MembershipRole.OWNER, user__is_active=True)
    return sorted(owners.values_list("user__email", flat=True))
