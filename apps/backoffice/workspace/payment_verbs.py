"""Verbs about money: a row for each verb of spec 04's table that staff may use, and answers to what providers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from apps.backoffice.verbs import ChangeGroup, Verb
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

# What each means for money, which no field of the record says. v1 changes nothing at a provider (spec 03, Mutation).
_MONEY = {
    "start_grace": "It charges nothing. What is owed stays owed; the provider goes on trying by its own rules.",
    "extend_grace": "What is owed stays owed, and service goes on without payment until then.",
    "end_grace": "What is owed stays owed. The provider is not told: a subscription there goes on and may charge.",
    "unlock": "It pays and forgives no invoice, and charges nothing.",
    "lock": "The provider is not told: a subscription there goes on and may charge. End it there too.",
    "set_manual": "The provider goes on charging. A payment that fails or arrives meanwhile changes no access.",
    "leave_manual": "It charges nothing and gives nothing back. Invoices that are unpaid at the provider count again.",
    "set_usage_override": "Free and internal usage takes no credits from now on; its quantities are still recorded. "
    "What was charged before stays charged.",
    "set_subscription_status": "It starts and ends nothing at a provider: nothing is charged more or less by it.",
    "set_grace_days": "It charges nothing. A grace period that is running keeps its end.",
    "set_provider_customer": "The customer's invoices count for this organization, unpaid ones too. Nothing is charged "
    "by it.",
    "forgive_invoice": "The provider is not told: there the invoice stays open and may still be collected. Void it "
    "there too.",
}


def _effects(name: str) -> Callable[[WorkspaceSubject, Any], Sequence[ChangeGroup]]:
    groups = (ChangeGroup("What it means for money", (), note=_MONEY[name]),)
    return lambda subject, form: groups


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
        effects=_effects(name),
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
        effects=_effects("forgive_invoice"),
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
