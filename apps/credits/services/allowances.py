"""The credits of plans, granted once for each subscription and start (spec 05, Account, grants, entries).

The job `grant-allowances` and every change of a subscription, such as a renewal, ask for the same; whoever comes first
grants. The account's lock orders them, and the database holds one row a start.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum

from apps.core import clock
from apps.core.amounts import format_micro
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import zone_of
from apps.credits import events
from apps.credits.enums import EntryKind, GrantType
from apps.credits.models import AllowanceGrant, CreditEntry, CreditGrant
from apps.credits.rules.allowances import Terms, Window, carried_over, is_granted, start_in, window_at
from apps.credits.services.accounts import (
    account_apply_due,
    account_for_update,
    expire_unheld,
    grant_begin,
    next_due_refresh,
)
from apps.subscriptions.enums import CreditCadence, PlanInterval
from apps.subscriptions.history import facts_as_of
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import resolve
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle

_MONTHS = {PlanInterval.MONTH: 1, PlanInterval.YEAR: 12}
_PRIORITY = 100


def subscriptions_due(now: datetime) -> QuerySet[WorkspaceSubscription]:
    """The running subscriptions to a plan with an allowance whose last window is over, or that had none.

    A new period that begins before the last window is over comes with a change of the subscription.
    """
    granted = AllowanceGrant.objects.filter(subscription_id=OuterRef("pk"), ends_at__gt=now)
    running = WorkspaceSubscription.objects.filter(plan__credit_allowance__isnull=False, ended_at__isnull=True)
    return running.filter(~Exists(granted), workspace__organization__closed_at__isnull=True)


def allowance_apply(context: ExecutionContext, *, subscription: WorkspaceSubscription) -> bool:
    """Grant what the subscription's plan gives for the current window, unless it was granted; whether it did now."""
    plan = Plan.objects.filter(pk=subscription.plan_id, credit_allowance__isnull=False).first()
    if plan is None or subscription.ended_at is not None:
        return False
    with transaction.atomic():
        return _apply(context, subscription, plan)


def _apply(context: ExecutionContext, subscription: WorkspaceSubscription, plan: Plan) -> bool:
    workspace = subscription.workspace
    now, account_id = clock.now(), workspace.organization_id
    terms = terms_of(subscription, plan)
    window = window_at(terms, now)
    if window is None or account_for_update(account_id) is None:
        return False
    last = AllowanceGrant.objects.filter(subscription_id=subscription.pk).order_by("-starts_at").first()
    start = start_in(terms, window, Window(last.starts_at, last.ends_at) if last else None)
    if start is None or not _may_get(WorkspaceId(workspace.pk), start):
        return False
    account_apply_due(context, account_id=account_id)
    carried = carried_over(_unused(last), plan.credit_rollover_cap)
    grant = _grant(context, account_id, plan, Window(start, window.ends_at), carried, subscription.pk)
    AllowanceGrant.objects.create(
        subscription_id=subscription.pk,
        starts_at=start,
        ends_at=window.ends_at,
        grant=grant,
        carried_over=carried,
        created_at=now,
    )
    return True


def terms_of(subscription: WorkspaceSubscription, plan: Plan) -> Terms:
    """What decides about the windows of the subscription under the plan."""
    begins, ends = subscription.current_period_start, subscription.current_period_end
    return Terms(
        cadence=CreditCadence(plan.credit_cadence),
        period_months=_MONTHS[PlanInterval(plan.interval)],
        started_at=subscription.started_at,
        period=Window(begins, ends) if begins and ends else None,
        zone=zone_of(subscription.workspace.organization.time_zone),
    )


def _may_get(workspace_id: WorkspaceId, start: datetime) -> bool:
    at_start = resolve(facts_as_of(workspace_id, start)).state
    return is_granted(at_start, workspace_lifecycle(workspace_id).state)


def _unused(last: AllowanceGrant | None) -> int:
    """What expired of the last window's grant."""
    if last is None:
        return 0
    ends = CreditEntry.objects.filter(grant_id=last.grant_id, kind=EntryKind.EXPIRY)
    return -(ends.aggregate(sum=Sum("amount"))["sum"] or 0)


def _grant(
    context: ExecutionContext, account_id: UUID, plan: Plan, window: Window, carried: int, subscription_id: UUID
) -> CreditGrant:
    now, days = clock.now(), plan.credit_expires_after_days
    scheduler = system_context(
        AuthorizationSource.SCHEDULER,
        name="grant-allowances",
        request_id=context.request_id,
        organization_id=OrganizationId(account_id),
        is_demo=context.is_demo,
    )
    more = f", with {format_micro(carried)} carried over" if carried else ""
    grant = CreditGrant.objects.create(
        id=uuid.uuid4(),
        account_id=account_id,
        grant_type=GrantType.PLAN,
        amount=(plan.credit_allowance or 0) + carried,
        remaining=0,
        priority=_PRIORITY,
        effective_at=now,
        expires_at=now + timedelta(days=days) if days else window.ends_at,
        note=f"Credits of the plan {plan.name}{more}",
        idempotency_key=f"allowance:{subscription_id}:{window.starts_at:%Y-%m-%dT%H:%M:%SZ}",
        granted_by=scheduler.actor.label,
        created_at=now,
    )
    grant_begin(scheduler, grant=grant, at=now)
    expire_unheld(scheduler, account_id=account_id, at=now)
    next_due_refresh(account_id, now)
    audit_append(
        scheduler,
        events.CREDITS_GRANTED,
        grant.audit_target,
        after={"grant_type": GrantType.PLAN.value, "amount": grant.amount, "plan": plan.slug, "carried_over": carried}
        | {"subscription_id": subscription_id, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return grant


def describe_allowance_change(workspace_id: WorkspaceId) -> Callable[[], Sequence[str]]:
    """For the preview of a change: how the plan's credits differ, and from when on."""
    before = _said(workspace_id)

    def tell() -> Sequence[str]:
        after = _said(workspace_id)
        if before == after:
            return ()
        current = _running(workspace_id)
        last = AllowanceGrant.objects.filter(subscription=current).order_by("-starts_at").first() if current else None
        since = f" from {last.ends_at:%-d %B %Y} on" if last and last.ends_at > clock.now() else ""
        return (f"Credits of the plan: {before or 'none'} until now, {after or 'none'}{since}.",)

    return tell


def _said(workspace_id: WorkspaceId) -> str:
    current = _running(workspace_id)
    return describe_allowance(current.plan) if current else ""


def _running(workspace_id: WorkspaceId) -> WorkspaceSubscription | None:
    running = WorkspaceSubscription.objects.filter(workspace_id=workspace_id, ended_at__isnull=True)
    return running.select_related("plan").first()


def describe_allowance(plan: Plan) -> str:
    """The plan's credits in words, empty for none: "100 a calendar month, of which up to 50 are carried over"."""
    if plan.credit_allowance is None:
        return ""
    cadence = CreditCadence(plan.credit_cadence).label.lower()
    days = f", valid for {plan.credit_expires_after_days} days" if plan.credit_expires_after_days else ""
    cap = plan.credit_rollover_cap
    carried = f", up to {format_micro(cap)} of them carried over" if cap else ""
    return f"{format_micro(plan.credit_allowance)} a {cadence}{days}{carried}"
