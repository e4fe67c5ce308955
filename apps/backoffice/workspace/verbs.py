"""Every verb of the workspace page: one row each, with its form and the service that it calls.

The rows of the subscription and of the payment config take label, operation and legal states from the tables of
transitions (spec 03, 04). A verb that has no row here does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from apps.backoffice.verbs import Verb
from apps.backoffice.workspace import forms, told
from apps.backoffice.workspace.forms import WorkspaceForm
from apps.backoffice.workspace.payment_verbs import PAYMENT_VERBS
from apps.backoffice.workspace.preview import PreviewedVerb
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.errors import ConflictError
from apps.subscriptions import contracts as change
from apps.subscriptions.enums import ManagedBy, Provider
from apps.subscriptions.ids import PendingChangeId
from apps.subscriptions.rules import transitions
from apps.subscriptions.services import (
    note_add,
    overlay_clear,
    overlay_set,
    pending_change_cancel,
    pending_change_confirm,
    pending_change_record,
    subscription_change,
)
from apps.subscriptions.services.notes import NOTE_OPERATION
from apps.subscriptions.services.overlays import OVERLAY_OPERATION


def _not_possible(subject: WorkspaceSubject) -> str:
    state = f"the subscription is {subject.state.label.lower()}" if subject.state else "there is no subscription record"
    return f"Not possible now: {state}."


def _subscription_verb(
    name: str,
    icon: str,
    description: str,
    done: str | Callable[[Any], str],
    change_of: Callable[[Any], change.SubscriptionChange],
    **options: Any,
) -> Verb:
    row = transitions.SUBSCRIPTION_TRANSITIONS[name]

    def run(context: ExecutionContext, subject: WorkspaceSubject, form: WorkspaceForm) -> object:
        return subscription_change(
            context,
            workspace_id=subject.workspace_id,
            change=change_of(form),
            reason=form.cleaned_data["reason"],
            expected_version=form.seen_version,
        )

    def refusal(subject: WorkspaceSubject) -> str:
        return "" if transitions.is_legal(name, subject.state) else _not_possible(subject)

    return PreviewedVerb(
        name=name,
        label=row.label,
        description=description,
        operation=row.operation,
        icon=icon,
        run=run,
        done=done,
        section="subscription",
        **{"refusal": refusal, "effects": told.effects_of(name), **options},
    )


# --- When the other verbs are offered --------------------------------------------------------------------------------
def _take_over_refusal(subject: WorkspaceSubject) -> str:
    if subject.subscription is not None and subject.subscription.managed_by == ManagedBy.STAFF:
        return "Staff already manage this subscription."
    return "" if transitions.is_legal("take_over", subject.state) else _not_possible(subject)


def _schedule_refusal(subject: WorkspaceSubject) -> str:
    if subject.pending is not None:
        return "A change is already scheduled; confirm or cancel it first."
    return "" if transitions.is_legal("end", subject.state) else _not_possible(subject)


def _confirm_refusal(subject: WorkspaceSubject) -> str:
    if subject.pending is None:
        return "No change is scheduled."
    verb = "change_plan" if subject.pending.plan_id else "end"
    return "" if transitions.is_legal(verb, subject.state) else _not_possible(subject)


def _pending_id(subject: WorkspaceSubject) -> PendingChangeId:
    if subject.pending is None:
        raise ConflictError("No change is scheduled any more; look at the workspace again.")
    return PendingChangeId(subject.pending.pk)


_ROWS: tuple[Verb, ...] = (
    _subscription_verb(
        "start_trial",
        "hourglass_top",
        "Starts a new subscription: everything works until someone decides otherwise.",
        told.trial_started,
        lambda form: change.StartTrial(form.plan_id, form.cleaned_data["trial_ends_at"]),
        form_class=forms.StartTrialForm,
    ),
    _subscription_verb(
        "activate",
        "play_circle",
        "Makes this a paid workspace from now on.",
        told.activated,
        lambda form: change.Activate(form.plan_id_if_chosen, form.period),
        form_class=forms.ActivateForm,
    ),
    _subscription_verb(
        "resume",
        "resume",
        "Back to active: everything works again.",
        "The subscription is active again.",
        lambda form: change.Resume(),
    ),
    _subscription_verb(
        "change_plan",
        "swap_horiz",
        "Takes effect immediately. To do it later, use Schedule a change.",
        told.plan_changed,
        lambda form: change.ChangePlan(form.plan_id),
        form_class=forms.ChangePlanForm,
    ),
    _subscription_verb(
        "mark_past_due",
        "schedule",
        "A payment is late: service continues with a warning.",
        "The subscription is marked past due.",
        lambda form: change.MarkPastDue(),
    ),
    _subscription_verb(
        "suspend",
        "pause_circle",
        "Makes the workspace read-only until someone resumes it.",
        "The subscription is suspended.",
        lambda form: change.Suspend(),
        is_dangerous=True,
    ),
    _subscription_verb(
        "end",
        "cancel",
        "Ends the subscription now. It can be started again afterwards.",
        "The subscription has ended.",
        lambda form: change.End(),
        is_dangerous=True,
    ),
    _subscription_verb(
        "set_cancel_at_period_end",
        "event_busy",
        "Whether the subscription renews after its period.",
        told.renewal_set,
        lambda form: change.SetCancelAtPeriodEnd(value=form.cleaned_data["value"] == "yes"),
        form_class=forms.CancelForm,
        is_rare=True,
    ),
    _subscription_verb(
        "update_period",
        "date_range",
        "Corrects the dates to those of the provider or the contract.",
        told.period_set,
        lambda form: change.UpdatePeriod(form.required_period, form.cleaned_data["trial_ends_at"]),
        form_class=forms.UpdatePeriodForm,
        is_rare=True,
    ),
    _subscription_verb(
        "hand_to_provider",
        "handshake",
        "Lets Stripe or Orb control this subscription again. Until then their updates are only recorded.",
        told.handed_over,
        lambda form: change.HandToProvider(
            Provider(form.cleaned_data["provider"]), form.cleaned_data["provider_subscription_id"]
        ),
        form_class=forms.HandToProviderForm,
        is_rare=True,
    ),
    _subscription_verb(
        "take_over",
        "front_hand",
        "Staff control this subscription. Stripe and Orb updates are recorded and shown as a difference.",
        "Staff manage the subscription.",
        lambda form: change.TakeOver(),
        refusal=_take_over_refusal,
        is_rare=True,
    ),
    *PAYMENT_VERBS,
    PreviewedVerb(
        name="set_overlay",
        label="Set manual overlay",
        section="lifecycle",
        operation=OVERLAY_OPERATION,
        icon="layers",
        description="Sets the lifecycle state by hand. It counts only where there is no subscription record.",
        form_class=forms.OverlayForm,
        refusal=lambda subject: (
            "The subscription record decides here; an overlay would have no effect." if subject.subscription else ""
        ),
        run=lambda context, subject, form: overlay_set(
            context,
            workspace_id=subject.workspace_id,
            state=LifecycleState(form.cleaned_data["state"]),
            reason=form.cleaned_data["reason"],
        ),
        done=lambda workspace: f"The overlay is {LifecycleState(workspace.manual_lifecycle_state).label.lower()} now.",
    ),
    PreviewedVerb(
        name="clear_overlay",
        label="Clear manual overlay",
        section="lifecycle",
        operation=OVERLAY_OPERATION,
        icon="layers_clear",
        description="Without a subscription record, the organization's subscription status decides again.",
        refusal=lambda subject: "" if subject.facts.overlay else "No overlay is set.",
        run=lambda context, subject, form: overlay_clear(
            context, workspace_id=subject.workspace_id, reason=form.cleaned_data["reason"]
        ),
        done="The overlay is cleared.",
    ),
    PreviewedVerb(
        name="record_pending_change",
        label="Schedule a change",
        section="subscription",
        operation=transitions.CHANGE_OPERATION,
        icon="event",
        description="Notes a change for a later day. Nothing happens by itself: someone must confirm it.",
        form_class=forms.ScheduleForm,
        refusal=_schedule_refusal,
        run=lambda context, subject, form: pending_change_record(
            context,
            workspace_id=subject.workspace_id,
            due_at=form.cleaned_data["due_at"],
            plan_id=form.plan_id_if_chosen,
            reason=form.cleaned_data["reason"],
        ),
        effects=told.effects_of("record_pending_change"),
        done=told.pending_recorded,
    ),
    PreviewedVerb(
        name="confirm_pending_change",
        label="Confirm change",
        section="subscription",
        operation=transitions.CHANGE_OPERATION,
        icon="event_available",
        description="Makes the scheduled change now.",
        refusal=_confirm_refusal,
        run=lambda context, subject, form: pending_change_confirm(
            context,
            pending_change_id=_pending_id(subject),
            reason=form.cleaned_data["reason"],
            expected_version=form.seen_version,
        ),
        effects=told.effects_of_pending,
        done=told.pending_confirmed,
    ),
    PreviewedVerb(
        name="cancel_pending_change",
        label="Cancel change",
        section="subscription",
        operation=transitions.CHANGE_OPERATION,
        icon="event_busy",
        description="Cancels the scheduled change. The subscription does not change.",
        refusal=lambda subject: "" if subject.pending else "No change is scheduled.",
        run=lambda context, subject, form: pending_change_cancel(
            context, pending_change_id=_pending_id(subject), reason=form.cleaned_data["reason"]
        ),
        done="The scheduled change is cancelled.",
    ),
    Verb(
        name="add_note",
        label="Add note",
        section="notes",
        operation=NOTE_OPERATION,
        icon="edit_note",
        description="For colleagues. No tenant sees it.",
        form_class=forms.NoteForm,
        run=lambda context, subject, form: note_add(
            context, workspace_id=subject.workspace_id, text=form.cleaned_data["reason"]
        ),
        done="The note is saved.",
        organization_of=lambda subject, form: subject.organization,
        eyebrow=lambda subject: subject.title,
    ),
)
VERBS: Mapping[str, Verb] = MappingProxyType({verb.name: verb for verb in _ROWS})
