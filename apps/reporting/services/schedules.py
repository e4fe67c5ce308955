"""When each scope's next report is due: made with the scope, and moved when its zone changes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.db.models import F, Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.moments import zone_of
from apps.core.pieces import in_pieces
from apps.reporting.models import ReportSchedule
from apps.reporting.rules.schedule import due_at, first_day
from apps.tenants.models import Organization

PLATFORM_ZONE = "UTC"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# An organization without rollups yet has the zone that its first ones will be cut in: its own.
_ROLLUP_ZONE = "organization__credit_account__rollup_state__zone"


def schedules_prepare(*, organization_id: UUID | None = None) -> None:
    """Begin for scopes that have none yet, and take over new zones once the rollups are cut in them."""
    now = clock.now()
    organizations = Organization.objects.filter(report_schedule=None, is_synthetic=False, closed_at=None)
    if organization_id is not None:
        organizations = organizations.filter(pk=organization_id)
    made = [
        _schedule(organization_id, zone, created_at=created_at, now=now)
        for organization_id, zone, created_at in organizations.values_list("pk", "time_zone", "created_at")
    ]
    made.append(_schedule(None, PLATFORM_ZONE, created_at=_LONG_AGO, now=now))
    ReportSchedule.objects.bulk_create(made, ignore_conflicts=True, batch_size=1_000)
    moved = ReportSchedule.objects.filter(~Q(zone=F(_ROLLUP_ZONE)), **{f"{_ROLLUP_ZONE}__isnull": False})
    for schedule in in_pieces(moved.select_related("organization__credit_account__rollup_state")):
        zone = schedule.organization.credit_account.rollup_state.zone  # type: ignore[union-attr]  # asked by the filter
        # Whoever makes a report of it meanwhile sets both afresh, so that only what nobody touched is moved.
        ReportSchedule.objects.filter(pk=schedule.pk, next_day=schedule.next_day, zone=schedule.zone).update(
            zone=zone, due_at=due_at(zone_of(zone), schedule.next_day)
        )


def schedule_resume(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Go on with yesterday's report after a reopening: nobody wants a mail for each day that it was closed."""
    for schedule in ReportSchedule.objects.select_for_update().filter(organization=organization_id):
        zone = zone_of(schedule.zone)
        day = first_day(zone, created_at=_LONG_AGO, now=clock.now())
        if day > schedule.next_day:
            schedule.next_day, schedule.due_at = day, due_at(zone, day)
            schedule.save(update_fields=["next_day", "due_at"])


def _schedule(organization_id: UUID | None, zone: str, *, created_at: datetime, now: datetime) -> ReportSchedule:
    day = first_day(zone_of(zone), created_at=created_at, now=now)
    return ReportSchedule(organization_id=organization_id, zone=zone, next_day=day, due_at=due_at(zone_of(zone), day))
