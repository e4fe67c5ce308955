"""The way back from a deed: the verb that reverses an audit entry, with the values of before in its form.

Only the newest entry about a record is offered a way back, and only a verb that is possible now: the preview then says
what it would do, as for any other change. What has no reverse, such as the start of a grace period, has no row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.staff import may
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.backoffice.workspace.verbs import VERBS
from apps.core.audit_events import AuditEvent
from apps.core.enums import ActorKind
from apps.core.models import AuditEntry
from apps.subscriptions import events
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.rules.transitions import verb_back
from apps.tenants.models import Workspace

Values = dict[str, Any]
Way = Callable[[Values, Values], tuple[str, Values] | None]


@dataclass(frozen=True, slots=True)
class Undo:
    """The button "Undo: Resume" and its dialog."""

    label: str
    url: str


def _state(before: Values, after: Values) -> tuple[str, Values] | None:
    """Back to the state of before; a new start takes the plan and the dates of the old one."""
    if not before.get("state"):
        return None
    verb = verb_back(SubscriptionState(after["state"]), SubscriptionState(before["state"]))
    dates = {name: before.get(f"current_{name}") for name in ("period_start", "period_end")}
    return (
        (verb, {"plan": before.get("plan_id"), "trial_ends_at": before.get("trial_ends_at"), **dates}) if verb else None
    )


def _period(before: Values, after: Values) -> tuple[str, Values] | None:
    start, end = before.get("current_period_start"), before.get("current_period_end")
    values = {"period_start": start, "period_end": end, "trial_ends_at": before.get("trial_ends_at")}
    return ("update_period", values) if start and end else None


def _provider(before: Values, after: Values) -> tuple[str, Values] | None:
    kept = {name: before.get(name) for name in ("provider", "provider_subscription_id")}
    return ("hand_to_provider", kept) if before.get("provider") else None


def _overlay(before: Values, after: Values) -> tuple[str, Values] | None:
    state = before.get("manual_lifecycle_state")
    return ("set_overlay", {"state": state}) if state else ("clear_overlay", {})


def _value(verb: str, **fields: str) -> Way:
    """The same verb, or its opposite, with the former value of each field."""
    return lambda before, after: (verb, {name: before.get(field) for name, field in fields.items()})


_WAYS: Mapping[AuditEvent, Way] = {
    events.SUBSCRIPTION_ACTIVATED: _state,
    events.SUBSCRIPTION_PAST_DUE: _state,
    events.SUBSCRIPTION_SUSPENDED: _state,
    events.SUBSCRIPTION_RESUMED: _state,
    events.SUBSCRIPTION_ENDED: _state,
    events.PLAN_SWITCHED: _value("change_plan", plan="plan_id"),
    events.CANCELLATION_SET: lambda before, after: (
        "set_cancel_at_period_end",
        {"value": "yes" if before.get("cancel_at_period_end") else "no"},
    ),
    events.PERIOD_UPDATED: _period,
    events.TAKEN_OVER: _provider,
    events.HANDED_TO_PROVIDER: _value("take_over"),
    events.OVERLAY_SET: _overlay,
    events.OVERLAY_CLEARED: _overlay,
    events.PENDING_CHANGE_RECORDED: _value("cancel_pending_change"),
    events.PENDING_CHANGE_CANCELLED: _value("record_pending_change", kind="kind", plan="plan_id", due_at="due_at"),
    events.PENDING_CHANGE_DROPPED: _value("record_pending_change", kind="kind", plan="plan_id", due_at="due_at"),
    events.PAYMENT_LOCKED: _value("unlock"),
    events.PAYMENT_UNLOCKED: _value("lock"),
    events.MANUAL_SET: _value("leave_manual"),
    events.MANUAL_LEFT: _value("set_manual"),
    events.USAGE_OVERRIDE_SET: _value("set_usage_override", category="usage_category_override"),
    events.GRACE_DAYS_SET: _value("set_grace_days", days="grace_period_days"),
}
_PEOPLE = frozenset({ActorKind.USER.value, ActorKind.CONSOLE.value})
_BY_NAME = {event.name: way for event, way in _WAYS.items()}


def undo_of(request: HttpRequest, subject: WorkspaceSubject, entry: AuditEntry) -> Undo | None:
    """The way back from the entry that the person may take now; none as of a moment."""
    # What a provider or a job did would come again; staff take the management over for that.
    way = _BY_NAME.get(entry.event) if entry.actor_kind in _PEOPLE else None
    found = way(entry.before, entry.after) if way is not None and subject.as_of is None else None
    if found is None:
        return None
    name, values = found
    verb = VERBS[name]
    if verb.refusal(subject) or not may(request, verb.operation):
        return None
    asked = verb.form_class.base_fields
    prefilled = {field: str(value) for field, value in values.items() if field in asked and value not in {None, ""}}
    address = reverse(f"admin:tenants_workspace_{name}", args=(subject.workspace_id,))
    return Undo(f"Undo: {verb.label}", f"{address}?{urlencode(prefilled)}" if prefilled else address)


def way_back(request: HttpRequest, entry: AuditEntry) -> Undo | str:
    """The way back from one entry, or why there is none in a sentence; empty where nothing of its kind has one."""
    if entry.event not in _BY_NAME or entry.actor_kind not in _PEOPLE:
        return ""
    later = AuditEntry.objects.filter(
        Q(recorded_at__gt=entry.recorded_at) | Q(recorded_at=entry.recorded_at, sequence__gt=entry.sequence),
        target_type=entry.target_type,
        target_id=entry.target_id,
    )
    if later.exists():
        return "It was changed again since then. Undo the newest change first."
    of_entry = Q(pk=entry.workspace_id) if entry.workspace_id else Q(organization=entry.organization_id)
    workspaces = Workspace.objects.filter(of_entry).select_related("organization")
    workspace = workspaces.order_by("created_at", "pk").first()
    return (undo_of(request, subject_now(workspace), entry) if workspace else None) or ""


def newest_of_each(entries: Iterable[AuditEntry]) -> set[object]:
    """The keys of the entries, newest first, that nothing later about the same record follows."""
    newest: dict[tuple[str, str], object] = {}
    for entry in entries:
        newest.setdefault((entry.target_type, entry.target_id), entry.pk)
    return set(newest.values())
