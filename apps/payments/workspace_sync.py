"""Settles the record of a workspace, and the questions to staff, with all of its mirrored subscriptions (spec 03, 04).

The record is a function of them, whatever the order of news: `rules.following` says which one it follows. The service
changes the record only while providers manage it, or after its end; otherwise it stores the claim as evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import AuditTarget, OrganizationId, WorkspaceId
from apps.core.operations import require
from apps.payments.enums import ProviderSubscriptionStatus, ReviewKind
from apps.payments.events import REVIEW_CLOSED
from apps.payments.models import ProviderSubscription, Review
from apps.payments.record_steps import (
    Rows,
    Step,
    facts_of,
    list_steps,
    mirrored_subscriptions,
    name_of,
    news_of,
    start_of,
    state_of,
)
from apps.payments.rules.following import charged, followed, workspace_state
from apps.payments.rules.statuses import SWITCHING_VERBS
from apps.payments.workspace_connectors import lock_connectors, settle_change, settle_sync
from apps.subscriptions.contracts import (
    Activate,
    End,
    HandToProvider,
    SubscriptionChange,
)
from apps.subscriptions.differences import contradicts
from apps.subscriptions.enums import ManagedBy, SubscriptionState
from apps.subscriptions.models import WorkspaceSubscription
from apps.subscriptions.rules.transitions import CHANGE_OPERATION, is_over
from apps.subscriptions.selectors.records import workspace_subscription_for_update, workspace_subscription_of
from apps.subscriptions.services import subscription_change
from apps.subscriptions.services.subscriptions import ended_by_staff
from apps.tenants.selectors.organizations import organization_of_workspace, workspace_for_update

HANDED_BACK = "handed back: the record follows what the provider says now"


def sync_workspaces_of(context: ExecutionContext, mirrored: ProviderSubscription) -> None:
    """Settle the workspace that the mirrored subscription names, or the one whose record staff have tied to it.

    Raises as `sync_workspace_subscription`, and `ConflictError` when the metadata name a workspace of another
    organization: staff correct it and process the event again.
    """
    named = {WorkspaceId(mirrored.workspace_id)} if mirrored.workspace_id else set()
    for workspace_id in named:
        _require_own_workspace(workspace_id, mirrored)
    follows = WorkspaceSubscription.objects.filter(
        provider=mirrored.provider, provider_subscription_id=mirrored.external_id
    )
    following = {WorkspaceId(pk) for pk in follows.values_list("workspace", flat=True)}
    for workspace_id in sorted(named | following):
        sync_workspace_subscription(context, workspace_id)


@transaction.atomic
def sync_workspace_subscription(context: ExecutionContext, workspace_id: WorkspaceId, *, reason: str = "") -> None:
    """Make the changes that lead from the record as it is to what the mirror says; none where they agree already.

    Raises `UnprocessableError` `unknown_plan` when the subscription to follow names no plan of ours.
    """
    workspace_for_update(workspace_id)
    record = workspace_subscription_for_update(workspace_id)
    rows = mirrored_subscriptions(workspace_id, record)
    staff_end = record.ended_at if record is not None and ended_by_staff(record) else None
    target = _target(rows, after=staff_end)
    if record is not None and record.managed_by == ManagedBy.STAFF and (staff_end is None or target is None):
        _store_evidence(context, workspace_id, _target(rows))
    elif target is not None:
        steps = list(list_steps(record, rows, target))
        may_switch = any(step.change.verb in SWITCHING_VERBS for step in steps)
        if may_switch:
            lock_connectors(workspace_id)
        for step in steps:
            _take(context, workspace_id, step, reason)
        if may_switch:
            settle_sync(context, workspace_id, was=record)
    settle_reviews(workspace_id, rows.values(), staff_ended_at=staff_end if target is not None else None)


def settle_after_staff(context: ExecutionContext, *, workspace_id: WorkspaceId, change: SubscriptionChange) -> None:
    """Handle a change by anybody but a provider: a record that is handed back ends as the mirror says now."""
    if isinstance(change, HandToProvider):
        sync_workspace_subscription(context, workspace_id, reason=HANDED_BACK)
        return
    settle_change(context, workspace_id=workspace_id, change=change)
    record = workspace_subscription_for_update(workspace_id)
    settle_reviews(workspace_id, mirrored_subscriptions(workspace_id, record).values())


def _target(rows: Rows, *, after: datetime | None = None) -> ProviderSubscription | None:
    name = followed(map(facts_of, rows.values()), after=after)
    return rows[name] if name is not None else None


def _take(context: ExecutionContext, workspace_id: WorkspaceId, step: Step, reason: str) -> None:
    """Make the change; one that changes nothing is left out: the start has set these dates already."""
    try:
        subscription_change(
            context, workspace_id=workspace_id, change=step.change, reason=step.reason or reason, news=step.news
        )
    except ConflictError as error:
        if error.problem_code != "nothing_to_change":
            raise


def _require_own_workspace(workspace_id: WorkspaceId, mirrored: ProviderSubscription) -> None:
    owner = organization_of_workspace(workspace_id)
    if owner != mirrored.organization_id:
        raise ConflictError(
            f"The subscription {mirrored.external_id} names workspace {workspace_id}, which is none of organization "
            f"{mirrored.organization_id}. Correct its metadata, then process the event again.",
            code="workspace_of_another_organization",
            title="The workspace belongs to another organization",
        )


def _store_evidence(context: ExecutionContext, workspace_id: WorkspaceId, claimed: ProviderSubscription | None) -> None:
    """Keep what providers say while staff decide; the service keeps it and changes nothing."""
    if claimed is None:
        return
    change: SubscriptionChange = End() if is_over(state_of(claimed)) else Activate()
    subscription_change(context, workspace_id=workspace_id, change=change, news=news_of(claimed, start_of(claimed)))


def settle_reviews(
    workspace_id: WorkspaceId, mirrored: Iterable[ProviderSubscription], *, staff_ended_at: datetime | None = None
) -> None:
    """Bring the questions about the workspace to what record and mirror say; the workspace is locked.

    `staff_ended_at`: staff had ended the record then, and a provider has started it again now.
    """
    organization_id = organization_of_workspace(workspace_id)
    if organization_id is None:
        return
    rows, record = list(mirrored), workspace_subscription_of(workspace_id)
    asked = _questions(record, rows)
    if staff_ended_at is not None and record is not None and not is_over(SubscriptionState(record.state)):
        asked[ReviewKind.RESTARTED] = (
            f"{record.get_provider_display()} {record.provider_subscription_id} started on {_day(record.started_at)}, "
            f"after staff had ended the subscription on {_day(staff_ended_at)}. Is this wanted?"
        )
    keep = {*asked, ReviewKind.RESTARTED}
    open_ones = Review.objects.filter(workspace=workspace_id)
    if record is None or is_over(SubscriptionState(record.state)):
        keep.discard(ReviewKind.RESTARTED)
    open_ones.exclude(kind__in=keep).delete()
    open_reviews(organization_id, workspace_id, asked)


def open_reviews(
    organization_id: OrganizationId, workspace_id: WorkspaceId | None, asked: Mapping[ReviewKind, str]
) -> None:
    """Ask each question once; one that is open already gets the new sentence and keeps its date."""
    for kind, sentence in asked.items():
        Review.objects.update_or_create(
            organization_id=organization_id,
            workspace_id=workspace_id,
            kind=kind,
            defaults={"sentence": sentence},
            create_defaults={"sentence": sentence, "opened_at": clock.now()},
        )


@transaction.atomic
def review_close(context: ExecutionContext, *, workspace_id: WorkspaceId, reason: str) -> None:
    """Say that the new start after the end by staff is in order. Audited.

    Raises `ForbiddenError`, `UnprocessableError` without a reason, `ConflictError` where nothing is asked.
    """
    require(context, CHANGE_OPERATION)
    if not reason.strip():
        raise UnprocessableError("Say what you found, so that nobody has to look again.")
    found = Review.objects.select_for_update().filter(workspace=workspace_id, kind=ReviewKind.RESTARTED).first()
    if found is None:
        raise ConflictError("Nothing is left to review here. Reload the page.")
    audit_append(
        context,
        REVIEW_CLOSED,
        AuditTarget("workspace", workspace_id, found.organization_id, workspace_id),
        before={"kind": found.kind, "sentence": found.sentence},
        reason=reason,
    )
    found.delete()


def _questions(record: WorkspaceSubscription | None, rows: list[ProviderSubscription]) -> dict[ReviewKind, str]:
    by_name = {name_of(row): row for row in rows}
    asked = {}
    paid = [by_name[name] for name in charged(map(facts_of, rows))]
    if len(paid) > 1:
        named = " and ".join(describe(row) for row in paid)
        asked[ReviewKind.CHARGED_TWICE] = f"Charged twice: {named}. Cancel the one that is not wanted at its provider."
    paused = [row for row in rows if row.pause_behavior and row.status != ProviderSubscriptionStatus.ENDED]
    if paused:
        named = " and ".join(describe(row) for row in paused)
        asked[ReviewKind.PAUSED] = f"No payment is collected: {named} is paused. Resume or end it at its provider."
    target = followed(map(facts_of, rows))
    if record is not None and target is not None and record.managed_by == ManagedBy.STAFF:
        row = by_name[target]
        claimed = workspace_state(ProviderSubscriptionStatus(row.status))
        if claimed is not None and contradicts(record, claimed):
            ours = SubscriptionState(record.state).label.lower()
            asked[ReviewKind.DIFFERS] = f"{describe(row)}; staff manage the record, which is {ours}."
    return asked


def describe(row: ProviderSubscription) -> str:
    """The subscription in a sentence: "Stripe sub_1 (team, active since 1 April 2026)"."""
    since = f" since {_day(row.started_at)}" if row.started_at else ""
    plan = f"{row.plan_key}, " if row.plan_key else ""
    return f"{row.get_provider_display()} {row.external_id} ({plan}{row.get_status_display().lower()}{since})"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
