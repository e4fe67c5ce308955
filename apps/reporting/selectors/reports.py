"""Reads of stored reports and their recipients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.enums import MembershipRole
from apps.reporting.models import DailyReport, ReportRecipient, ReportSheet
from apps.reporting.rules.recipients import RecipientStatus
from apps.tenants.access import platform_role
from apps.tenants.models import Membership, User

_MEMBERS_SHOWN = 200
ADMINS = (MembershipRole.OWNER, MembershipRole.ADMIN)


def latest_report(organization_id: UUID | None, day: date) -> DailyReport | None:
    """The newest revision of the day's report; of the platform's without an organization."""
    return _of(organization_id).filter(day=day).order_by("-revision").first()


def revisions_of(organization_id: UUID | None, day: date, database: str = DEFAULT_DB_ALIAS) -> list[DailyReport]:
    """Every revision of the day's report, newest first."""
    return list(_of(organization_id, database).filter(day=day).order_by("-revision"))


def days_with_reports(
    organization_id: UUID | None, first: date, last: date, database: str = DEFAULT_DB_ALIAS
) -> Sequence[date]:
    """The days from `first` to `last` that have a report, newest first."""
    days = _of(organization_id, database).filter(day__gte=first, day__lte=last, revision=1).order_by("-day")
    return list(days.values_list("day", flat=True))


def mailed_recipients(organization_id: UUID | None) -> list[ReportRecipient]:
    """Who gets the scope's reports by mail now: a member who left does not, nor a colleague without a role."""
    still = Exists(Membership.objects.filter(organization=organization_id, user=OuterRef("user"), user__is_active=True))
    active = ReportRecipient.objects.filter(organization=organization_id, status=RecipientStatus.ACTIVE)
    if organization_id is not None:
        return list(active.filter(Q(user=None) | Q(still)).select_related("user").order_by("pk"))
    found = active.select_related("user").order_by("pk")
    return [one for one in found if one.user is not None and platform_role(one.user) is not None]


def _of(organization_id: UUID | None, database: str = DEFAULT_DB_ALIAS) -> QuerySet[DailyReport]:
    # `filter(organization=None)` is IS NULL: the platform's.
    return DailyReport.objects.using(database).filter(organization=organization_id)


def admins_of(organization_id: UUID) -> list[str]:
    """The addresses of the people who set recipients."""
    admins = Membership.objects.filter(organization=organization_id, role__in=ADMINS, user__is_active=True)
    return list(admins.order_by("user__email").values_list("user__email", flat=True))


def recipients_of(organization_id: UUID) -> list[ReportRecipient]:
    """Every recipient that an admin set, by address."""
    return list(ReportRecipient.objects.filter(organization=organization_id).order_by("email"))


def member_of(organization_id: UUID, email: str) -> User | None:
    """The member with this address."""
    return User.objects.filter(email=email, is_active=True, memberships__organization=organization_id).first()


def members_without_reports(organization_id: UUID) -> list[str]:
    """The addresses of members who are no recipients, for an admin to choose from."""
    listed = ReportRecipient.objects.filter(organization=organization_id).values("email")
    members = Membership.objects.filter(organization=organization_id, user__is_active=True).exclude(
        user__email__in=listed
    )
    return list(members.order_by("user__email").values_list("user__email", flat=True)[:_MEMBERS_SHOWN])


def report_sheet_of(organization_id: UUID) -> ReportSheet | None:
    """The sheet that the organization's reports are written to."""
    return ReportSheet.objects.filter(organization=organization_id).select_related("connector").first()


def latest_day(organization_id: UUID | None, database: str = DEFAULT_DB_ALIAS) -> date | None:
    """The newest day that has a report."""
    return _of(organization_id, database).order_by("-day").values_list("day", flat=True).first()


def platform_recipient(user_id: UUID) -> ReportRecipient | None:
    """How the colleague stands to the platform's report; None for one who never asked for it."""
    return ReportRecipient.objects.filter(organization=None, user=user_id).first()
