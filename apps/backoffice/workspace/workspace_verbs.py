"""Verbs that stand beside the two records: the manual overlay, the scheduled change, notes (spec 03)."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.form_fields import choice_field, moment_field
from apps.backoffice.workspace.forms import PlanMixin, VerbForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.backoffice.workspace.subscription_verbs import state_in_words
from apps.backoffice.workspace.verbs import Verb, always
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.errors import ConflictError
from apps.subscriptions.enums import PendingChangeKind
from apps.subscriptions.ids import PendingChangeId
from apps.subscriptions.rules.transitions import CHANGE_OPERATION, is_legal
from apps.subscriptions.services import (
    note_add,
    overlay_clear,
    overlay_set,
    pending_change_cancel,
    pending_change_confirm,
    pending_change_record,
)
from apps.subscriptions.services.notes import NOTE_OPERATION
from apps.subscriptions.services.overlays import OVERLAY_OPERATION

POSTURE, SUBSCRIPTION, NOTES = "posture", "subscription", "notes"


class OverlayForm(VerbForm):
    """Which lifecycle state staff say."""

    state = choice_field("Lifecycle state", LifecycleState.choices)


class ScheduleForm(PlanMixin, VerbForm):
    """What is to happen, and when."""

    kind = choice_field("What", PendingChangeKind.choices)
    plan = choice_field("To which plan", required=False, hint="For a change of plan.")
    due_at = moment_field("When", hint="It is flagged as due then, and waits for somebody's word.")

    def prepare(self) -> None:
        self.offer_plans(empty="—")
        held = self.subject.subscription
        self.fields["due_at"].initial = held.current_period_end if held else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_switch = cleaned.get("kind") == PendingChangeKind.CHANGE_PLAN.value
        if is_switch != bool(cleaned.get("plan")):
            self.add_error("plan", "Choose a plan to change to." if is_switch else "An end needs no plan.")
        return cleaned


class NoteForm(VerbForm):
    """The note. It is its own reason."""

    reason = forms.CharField(
        label="Note",
        max_length=5000,
        help_text="Signed with your name and dated. Nobody can change it later; who is mistaken writes another.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True}),
    )


def _set_overlay(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    state = LifecycleState(form.cleaned_data["state"])
    return overlay_set(context, workspace_id=subject.workspace_id, state=state, reason=form.why)


def _clear_overlay(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    return overlay_clear(context, workspace_id=subject.workspace_id, reason=form.why)


def _record(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    return pending_change_record(
        context,
        workspace_id=subject.workspace_id,
        due_at=form.cleaned_data["due_at"],
        plan_id=form.plan_id if isinstance(form, ScheduleForm) else None,
        reason=form.why,
    )


def _confirm(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    return pending_change_confirm(
        context,
        pending_change_id=_waiting(subject),
        reason=form.why,
        expected_version=form.seen_version,
    )


def _cancel(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    return pending_change_cancel(context, pending_change_id=_waiting(subject), reason=form.why)


def _add_note(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
    return note_add(context, workspace_id=subject.workspace_id, text=form.why)


def _waiting(subject: WorkspaceSubject) -> PendingChangeId:
    if subject.pending is None:
        raise ConflictError("No scheduled change waits any more; look at the workspace again.")
    return PendingChangeId(subject.pending.pk)


def _needs_overlay(subject: WorkspaceSubject) -> str:
    return "" if subject.facts.overlay else "No overlay is set."


def _needs_pending(subject: WorkspaceSubject) -> str:
    return "" if subject.pending else "No scheduled change waits."


def _needs_confirmable(subject: WorkspaceSubject) -> str:
    if subject.pending is None:
        return _needs_pending(subject)
    verb = "change_plan" if subject.pending.plan_id else "end"
    return "" if is_legal(verb, subject.state) else f"Not possible now: {state_in_words(subject)}."


def _needs_free_schedule(subject: WorkspaceSubject) -> str:
    if subject.pending is not None:
        return "One scheduled change waits already; confirm or cancel it first."
    return "" if is_legal("end", subject.state) else f"Not possible now: {state_in_words(subject)}."


OTHER_VERBS = (
    Verb(
        name="set_overlay",
        label="Set manual overlay",
        section=POSTURE,
        operation=OVERLAY_OPERATION,
        icon="layers",
        description="The lifecycle state by hand. It counts only where there is no subscription record.",
        form_class=OverlayForm,
        refusal=always,
        run=_set_overlay,
        done="The overlay is set.",
    ),
    Verb(
        name="clear_overlay",
        label="Clear manual overlay",
        section=POSTURE,
        operation=OVERLAY_OPERATION,
        icon="layers_clear",
        description="The organization's subscription status decides again where there is no subscription record.",
        form_class=VerbForm,
        refusal=_needs_overlay,
        run=_clear_overlay,
        done="The overlay is cleared.",
    ),
    Verb(
        name="record_pending_change",
        label="Schedule a change",
        section=SUBSCRIPTION,
        operation=CHANGE_OPERATION,
        icon="event",
        description="Written down for a later day. Nothing happens by itself: somebody confirms it.",
        form_class=ScheduleForm,
        refusal=_needs_free_schedule,
        run=_record,
        done="The change is scheduled.",
    ),
    Verb(
        name="confirm_pending_change",
        label="Confirm change",
        section=SUBSCRIPTION,
        operation=CHANGE_OPERATION,
        icon="event_available",
        description="Carries the scheduled change out now.",
        form_class=VerbForm,
        refusal=_needs_confirmable,
        run=_confirm,
        done="The scheduled change is carried out.",
    ),
    Verb(
        name="cancel_pending_change",
        label="Cancel change",
        section=SUBSCRIPTION,
        operation=CHANGE_OPERATION,
        icon="event_busy",
        description="Strikes the scheduled change out; the subscription stays as it is.",
        form_class=VerbForm,
        refusal=_needs_pending,
        run=_cancel,
        done="The scheduled change is cancelled.",
    ),
    Verb(
        name="add_note",
        label="Add note",
        section=NOTES,
        operation=NOTE_OPERATION,
        icon="edit_note",
        description="For colleagues. No tenant sees it.",
        form_class=NoteForm,
        refusal=always,
        run=_add_note,
        done="The note is kept.",
        is_previewed=False,
    ),
)
