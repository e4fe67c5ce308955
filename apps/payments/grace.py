"""Ends the grace periods that are due, and reminds of those that end soon (spec 04, Grace period).

Due rows, not timers, so that it is right after any outage.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.pieces import in_pieces
from apps.payments.config_handlers import REMINDER_BEFORE, notify_grace_ending
from apps.subscriptions.contracts import EndGrace
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.services import payment_config_change

_END_REASON = "the grace period is over"


def end_due_grace_periods(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """End each grace period that is due, one transaction each, in the order of the organizations.

    Raises `SomeFailedError` in the end where one could not be ended; all the others are.
    """
    counts, organizations = {"ended": 0, "changed_meanwhile": 0}, RecordErrors("organizations")
    due = _running_grace_periods(organization_id, include_demo=include_demo).filter(grace_period_end_at__lte=now)
    for config in in_pieces(due, key=["organization_id"]):
        with organizations.record(config.organization_id):
            counts["ended" if _end_grace(context, config) else "changed_meanwhile"] += 1
    organizations.finish()
    return counts


def remind_before_grace_ends(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> int:
    """E-mail the owners of each grace period that ends within three days, once an end; returns how many there are.

    Raises `SomeFailedError` in the end where some could not be e-mailed; all the others are.
    """
    soon = _running_grace_periods(organization_id, include_demo=include_demo).filter(
        grace_period_end_at__gt=now, grace_period_end_at__lte=now + REMINDER_BEFORE
    )
    organizations = RecordErrors("organizations")
    for config in in_pieces(soon, key=["organization_id"]):
        with organizations.record(config.organization_id), transaction.atomic():
            notify_grace_ending(_organization_context(context, config), config)
    organizations.finish()
    return organizations.done


def _running_grace_periods(organization_id: UUID | None, *, include_demo: bool) -> QuerySet[OrganizationPaymentConfig]:
    rows = OrganizationPaymentConfig.objects.filter(grace_period_end_at__isnull=False).select_related("organization")
    if organization_id is not None:
        rows = rows.filter(organization=organization_id)
    if not include_demo:
        rows = rows.filter(organization__is_demo=False)
    return rows


def _end_grace(context: ExecutionContext, config: OrganizationPaymentConfig) -> bool:
    """End it; False where somebody paid, or got more time, since the row was read."""
    try:
        payment_config_change(
            _organization_context(context, config),
            organization_id=OrganizationId(config.organization_id),
            change=EndGrace(),
            reason=_END_REASON,
            expected_version=config.version,
        )
    except ConflictError:
        return False
    return True


def _organization_context(context: ExecutionContext, config: OrganizationPaymentConfig) -> ExecutionContext:
    return context.within(OrganizationId(config.organization_id), is_demo=config.organization.is_demo)
