"""Verbs about money: a row for each verb of spec 04's table that staff may use, and answers to what providers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from apps.backoffice.verbs import Verb
from apps.backoffice.workspace import forms, told
from apps.backoffice.workspace.forms import WorkspaceForm
from apps.backoffice.workspace.preview import PreviewedVerb
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.context import ExecutionContext
from apps.payments.enums import ReviewKind
from apps.payments.services import invoice_forgive
from apps.payments.workspace_sync import review_close
from apps.subscriptions import contracts as change
from apps.subscriptions.enums import Provider, SubscriptionStatus
from apps.subscriptions.rules.payment_transitions import CHANGE_OPERATION as PAYMENT_OPERATION
from apps.subscriptions.rules.payment_transitions import PAYMENT_TRANSITIONS, is_legal
from apps.subscriptions.rules.transitions import CHANGE_OPERATION
from apps.subscriptions.services import payment_config_change


def _verb(
    name: str,
    icon: str,
    description: str,
    done: str | Callable[[Any], str],
    change_of: Callable[[Any], change.PaymentConfigChange],
    **options: Any,
) -> Verb:
    row = PAYMENT_TRANSITIONS[name]

    def run(context: ExecutionContext, subject: WorkspaceSubject, form: WorkspaceForm) -> object:
        return payment_config_change(
            context,
            organization_id=subject.organization_id,
            change=change_of(form),
            reason=form.cleaned_data["reason"],
        )

    def refusal(subject: WorkspaceSubject) -> str:
        if is_legal(name, subject.status):
            return ""
        return f"Not possible now: the payment status is {subject.status.label.lower()}."

    return PreviewedVerb(
        name=name,
        label=row.label,
        description=f"{description} Applies to all workspaces of this organization.",
        operation=row.operation,
        icon=icon,
        run=run,
        done=done,
        section="payments",
        refusal=refusal,
        **options,
    )


def _review_refusal(subject: WorkspaceSubject) -> str:
    is_asked = any(review.kind == ReviewKind.RESTARTED for review in subject.reviews)
    return "" if is_asked else "Nothing is left to review."


PAYMENT_VERBS: tuple[Verb, ...] = (
    _verb(
        "start_grace",
        "timer",
        "A payment failed: service continues for a while, with a warning.",
        told.grace_started,
        lambda form: change.StartGrace(form.cleaned_data["started_at"]),
        form_class=forms.StartGraceForm,
    ),
    _verb(
        "extend_grace",
        "more_time",
        "Moves the grace period's end date.",
        told.grace_extended,
        lambda form: change.ExtendGrace(form.cleaned_data["until"]),
        form_class=forms.ExtendGraceForm,
    ),
    _verb(
        "end_grace",
        "timer_off",
        "Ends the grace period now and stops service.",
        told.status_is,
        lambda form: change.EndGrace(),
        is_dangerous=True,
    ),
    _verb(
        "unlock",
        "lock_open",
        "Opens the organization again. What the mirrored invoices say then decides its payment status.",
        told.status_is,
        lambda form: change.Unlock(),
    ),
    _verb(
        "lock",
        "lock",
        "Makes the organization read-only until staff unlock it.",
        "The organization is locked.",
        lambda form: change.Lock(),
        is_dangerous=True,
    ),
    _verb(
        "set_manual",
        "back_hand",
        "Staff control the payment status. Stripe and Orb updates are recorded but ignored.",
        "The payment status is manual.",
        lambda form: change.SetManual(),
    ),
    _verb(
        "leave_manual",
        "undo",
        "Stripe and Orb updates change the payment status again. What their invoices say now decides it.",
        told.status_is,
        lambda form: change.LeaveManual(),
    ),
    _verb(
        "set_usage_override",
        "sell",
        "Bills all usage under one category. It never allows more than the lifecycle does.",
        told.usage_billed,
        lambda form: change.SetUsageOverride(form.override),
        form_class=forms.UsageOverrideForm,
        is_rare=True,
    ),
    _verb(
        "set_subscription_status",
        "how_to_reg",
        "Whether the organization has subscribed at all.",
        told.subscription_status_is,
        lambda form: change.SetSubscriptionStatus(SubscriptionStatus(form.cleaned_data["status"])),
        form_class=forms.SubscriptionStatusForm,
        is_rare=True,
    ),
    _verb(
        "set_grace_days",
        "edit_calendar",
        "How long future grace periods are.",
        told.grace_days,
        lambda form: change.SetGraceDays(form.cleaned_data["days"]),
        form_class=forms.GraceDaysForm,
        is_rare=True,
    ),
    _verb(
        "set_provider_customer",
        "badge",
        "Links a customer at Stripe or Orb to the organization.",
        told.customers_linked,
        lambda form: change.SetProviderCustomer(
            Provider(form.cleaned_data["provider"]), form.cleaned_data["customer_id"]
        ),
        form_class=forms.ProviderCustomerForm,
        is_rare=True,
    ),
    PreviewedVerb(
        name="forgive_invoice",
        label="Forgive an invoice",
        section="payments",
        operation=PAYMENT_OPERATION,
        icon="money_off",
        description="The invoice no longer counts against the organization. Applies to all its workspaces.",
        form_class=forms.ForgiveForm,
        refusal=lambda subject: "" if subject.has_open_invoices else "No invoice counts against the organization.",
        run=lambda context, subject, form: invoice_forgive(
            context,
            organization_id=subject.organization_id,
            invoice_id=UUID(form.cleaned_data["invoice"]),
            reason=form.cleaned_data["reason"],
        ),
        done=lambda invoice: f"Invoice {invoice.number or invoice.external_id} no longer counts.",
        is_rare=True,
    ),
    Verb(
        name="close_review",
        label="Mark as reviewed",
        section="subscription",
        operation=CHANGE_OPERATION,
        icon="task_alt",
        description="Says that the new start is in order, so that nobody has to look at it again.",
        form_class=WorkspaceForm,
        refusal=_review_refusal,
        run=lambda context, subject, form: review_close(
            context, workspace_id=subject.workspace_id, reason=form.cleaned_data["reason"]
        ),
        done="The question is answered.",
        organization_of=lambda subject, form: subject.organization,
        eyebrow=lambda subject: subject.title,
    ),
)
