"""Starts grace periods by due dates, ends those that are due, reminds of those that end soon (spec 04, Grace period).

Due rows, not timers, so that it is right after any outage.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.pieces import in_pieces
from apps.payments.config_handlers import REMINDER_BEFORE, notify_grace_ending
from apps.payments.models import ProviderInvoice
from apps.payments.status_sync import IS_SENT, sync_payment_status
from apps.subscriptions.contracts import EndGrace
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.selectors.filters import may_start_grace
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change

_END_REASON = "the grace period is over"
_REST = timedelta(days=1)


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


def start_overdue_grace(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> int:
    """Start grace where the due date of an invoice that was sent has passed; returns in how many organizations.

    Raises `SomeFailedError` in the end where some could not be looked at; all the others are.
    """
    late = ProviderInvoice.objects.filter(IS_SENT, due_at__lte=now, forgiven_at__isnull=True)
    configs = OrganizationPaymentConfig.objects.select_related("organization").filter(
        may_start_grace(), organization__in=late.values("organization")
    )
    if organization_id is not None:
        configs = configs.filter(organization=organization_id)
    if not include_demo:
        configs = configs.filter(organization__is_demo=False)
    organizations = RecordErrors("organizations")
    for config in in_pieces(configs, key=["organization_id"]):
        with organizations.record(config.organization_id), transaction.atomic():
            locked = payment_config_for_update(OrganizationId(config.organization_id))
            if locked is not None:
                sync_payment_status(_organization_context(context, config), locked, None)
    organizations.finish()
    return organizations.done


def remind_before_grace_ends(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> int:
    """Mail about each grace period that ends within three days, once an end; returns how many there are.

    Raises `SomeFailedError` in the end where some could not be e-mailed; all the others are.
    """
    soon = _running_grace_periods(organization_id, include_demo=include_demo).filter(
        grace_period_end_at__gt=now, grace_period_end_at__lte=now + REMINDER_BEFORE
    )
    # Who was told a moment ago is not reminded in the next minute.
    told = ProviderInvoice.objects.filter(organization=OuterRef("organization"), told_at__gt=now - _REST)
    soon = soon.exclude(Exists(told))
    organizations = RecordErrors("organizations")
    for config in in_pieces(soon, key=["organization_id"]):
        with organizations.record(config.organization_id), transaction.atomic():
            notify_grace_ending(_organization_context(context, config), config, now=now)
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
