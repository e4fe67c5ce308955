"""The subscription record as it is, or as it was, with what a provider says against it and what is scheduled."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.utils.html import format_html

from apps.backoffice.cells import NOTHING, badge, day, link, moment, page_url_of, title_and_slug
from apps.backoffice.panels import PANEL_ROWS, Cell, Fact, Panel, Row
from apps.backoffice.records.provider_links import provider_link
from apps.backoffice.staff import may
from apps.backoffice.workspace.labels import TONES
from apps.backoffice.workspace.section import Callout, Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core import clock
from apps.core.amounts import format_minor
from apps.payments.enums import ProviderSubscriptionStatus, ReviewKind
from apps.payments.models import ProviderSubscription
from apps.payments.record_steps import mirrored_subscriptions
from apps.payments.rules.following import workspace_state
from apps.subscriptions.differences import management_difference
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.history import SubscriptionAsOf
from apps.subscriptions.models import PendingChange, Plan, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import STATE_OF_SUBSCRIPTION
from apps.subscriptions.rules.transitions import is_over
from apps.subscriptions.selectors.records import is_due, plan_of

_TITLE, _ICON = "Subscription", "card_membership"
_NONE = "No subscription record. The manual overlay or the organization's subscription status applies."


def subscription_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The current record, or the one as of the moment."""
    if subject.as_of is not None:
        return _past(subject)
    held = subject.subscription
    return Section(
        title=_TITLE,
        icon=_ICON,
        facts=_facts(held) if held else (),
        callouts=[*_reviews(subject), *_difference(subject), *_scheduled(subject.pending)],
        panel=_at_providers(subject) if may(request, "provider_objects.read") else None,
        empty=_NONE,
    )


def _facts(held: WorkspaceSubscription) -> list[Fact]:
    plan = held.plan
    dates = [Fact("Started", moment(held.started_at))]
    if held.trial_ends_at:
        dates.append(Fact("Trial ends", moment(held.trial_ends_at)))
    if held.current_period_start or held.current_period_end:
        dates.append(Fact("Current period", _period(held.current_period_start, held.current_period_end)))
    if held.ended_at:
        dates.append(Fact("Ended", moment(held.ended_at)))
    at_provider = provider_link(held.provider, "subscription", held.provider_subscription_id)
    return [
        Fact("Plan", link(page_url_of(Plan, plan.pk), plan.name), _price(plan)),
        Fact("State", _state(held.state, held.get_state_display(), is_cancelled=held.cancel_at_period_end)),
        *dates,
        Fact("Managed by", _manager(held), f"Version {held.version}"),
        *([Fact(f"At {held.get_provider_display()}", at_provider)] if held.provider else []),
    ]


def _manager(held: WorkspaceSubscription) -> str:
    if not is_over(SubscriptionState(held.state)):
        return held.get_managed_by_display()
    return f"Nobody, since the end by {held.get_managed_by_display()}"


def _at_providers(subject: WorkspaceSubject) -> Panel | None:
    """Every subscription of the workspace at a provider; none where there has been none."""
    rows = mirrored_subscriptions(subject.workspace_id, subject.subscription).values()
    newest = sorted(rows, key=lambda row: (row.started_at or row.created_at, row.external_id), reverse=True)
    headers = ("Subscription", "Plan", "State", "Started", "Ends")
    shown = [_mirrored_row(row) for row in newest[:PANEL_ROWS]]
    is_more = len(newest) > PANEL_ROWS
    return Panel("At the providers", headers, shown, has_more=is_more, icon="sync_alt") if shown else None


def _mirrored_row(row: ProviderSubscription) -> Row:
    name = title_and_slug(row.get_provider_display(), row.external_id)
    return name, row.plan_key or NOTHING, _mirrored_state(row), day(row.started_at), _mirrored_end(row)


def _mirrored_state(row: ProviderSubscription) -> Cell:
    state = workspace_state(ProviderSubscriptionStatus(row.status))
    return badge(row.get_status_display(), TONES[STATE_OF_SUBSCRIPTION[state]] if state else "neutral")


def _mirrored_end(row: ProviderSubscription) -> Cell:
    if row.ended_at:
        return day(row.ended_at)
    return format_html("{}, cancelled", day(row.cancel_at or row.period_end)) if row.cancel_at_period_end else NOTHING


def _reviews(subject: WorkspaceSubject) -> list[Callout]:
    """What providers' news ask; a difference is told below with both sides and the day of the change."""
    asked = [review for review in subject.reviews if review.workspace_id and review.kind != ReviewKind.DIFFERS]
    return [
        Callout(
            f"Needs review: {review.sentence}",
            icon="rule",
            verbs=("close_review",) if review.kind == ReviewKind.RESTARTED else (),
        )
        for review in asked
    ]


def _past(subject: WorkspaceSubject) -> Section:
    past = subject.past
    return Section(title=f"{_TITLE}, as it was", icon=_ICON, facts=_past_facts(past) if past else (), empty=_NONE)


def _past_facts(past: SubscriptionAsOf) -> list[Fact]:
    plan = plan_of(past.plan_id)
    facts = past.facts
    dates = [
        Fact(label, moment(value))
        for label, value in (
            ("Started", past.started_at),
            ("Trial ends", facts.trial_ends_at),
            ("Ended", past.ended_at),
        )
        if value
    ]
    if past.current_period_start or facts.current_period_end:
        dates.append(Fact("Current period", _period(past.current_period_start, facts.current_period_end)))
    return [
        Fact("Plan", link(page_url_of(Plan, past.plan_id), plan.name if plan else past.plan_id)),
        Fact("State", _state(facts.state.value, facts.state.label, is_cancelled=past.cancel_at_period_end)),
        *dates,
        Fact("Managed by", facts.managed_by.label, f"Version {facts.version}"),
        Fact("Last changed before", moment(past.changed_at), f"by {past.changed_by}"),
        Fact("Reason of that change", past.reason or NOTHING),
    ]


def _state(value: str, label: str, *, is_cancelled: bool) -> Cell:
    tones = {state.value: TONES[lifecycle] for state, lifecycle in STATE_OF_SUBSCRIPTION.items()}
    shown = badge(label, tones.get(value, "neutral"))
    return format_html("{} {}", shown, badge("Cancelled at period end", "warn")) if is_cancelled else shown


def _period(start: datetime | None, end: datetime | None) -> Cell:
    return format_html("{} to {}", moment(start), moment(end))


def _price(plan: Plan) -> str:
    return f"{format_minor(plan.price_minor, plan.currency)} a {plan.get_interval_display().lower()}"


def _difference(subject: WorkspaceSubject) -> list[Callout]:
    difference = management_difference(subject.workspace_id)
    if difference is None:
        return []
    return [Callout(difference.sentence, icon="compare_arrows", verbs=("hand_to_provider",))]


def _scheduled(pending: PendingChange | None) -> list[Callout]:
    if pending is None:
        return []
    is_due_now = is_due(pending, clock.now())
    what = f"{pending.get_kind_display()} to {pending.plan.name}" if pending.plan else pending.get_kind_display()
    due = f"due since {pending.due_at:%-d %B %Y}" if is_due_now else f"on {pending.due_at:%-d %B %Y, %H:%M} UTC"
    text = f"Scheduled: {what}, {due}. Recorded by {pending.recorded_by}: {pending.reason}"
    return [
        Callout(
            text,
            tone="warn" if is_due_now else "info",
            icon="event",
            verbs=("confirm_pending_change", "cancel_pending_change"),
        )
    ]
