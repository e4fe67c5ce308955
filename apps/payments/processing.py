"""Processes one stored event: find its organization, mirror the object, sync the statuses (spec 04, Webhooks).

Two transactions. The first stores the snapshot in the mirror and brings the payment config to what the mirror calls
for; the second settles the records of workspaces. Each is a function of the mirror, so that either may be repeated.
Retries are with `services.events`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Greatest

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, RequestId
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import CustomerStatus, WebhookStatus, WhyKept
from apps.payments.inbox import requeue_disputes
from apps.payments.mirror import MODELS, MirrorResult, set_paused_aside, store_answer, store_snapshot, take_ticket
from apps.payments.models import MirroredObject, ProviderCustomer, ProviderRefund, ProviderSubscription
from apps.payments.providers.contract import fetch_snapshot, provider_reader
from apps.payments.status_sync import sync_payment_status, sync_subscription_status
from apps.payments.tracking import track_event, track_subscription_change
from apps.payments.workspace_sync import sync_workspaces_of
from apps.subscriptions.contracts import SetProviderCustomer
from apps.subscriptions.enums import PaymentStatus, Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.subscriptions.rules.payment_transitions import ignores_provider
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change
from apps.tenants.access import webhook_context
from apps.tenants.models import Organization
from apps.tenants.selectors.organizations import organization_exists


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """The status that the event gets. `customer_id` or `charge_id` is what an unmatched one waits for."""

    status: WebhookStatus
    organization_id: OrganizationId | None = None
    customer_id: str = ""
    note: str = ""
    reason: WhyKept | None = None
    charge_id: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    """Two events of one second, which only the provider can order."""

    row: MirroredObject
    ticket: int


def process(event: ProviderEvent, *, request_id: RequestId) -> ProcessingResult:
    """Do everything that the event asks for. Any error means that it must be tried again, from the start."""
    snapshot = event.snapshot
    if snapshot is None:
        note = event.ignore.label if event.ignore else "Nothing in this event concerns us."
        return ProcessingResult(WebhookStatus.IGNORED, note=note, reason=event.ignore)
    # May ask the provider: never inside a transaction.
    snapshot = replace(snapshot, customer_id=find_customer_id(event, snapshot))
    organization_id = match_organization(event, snapshot)
    if organization_id is None:
        return _keep_unmatched(event, snapshot)
    organization = Organization.objects.get(pk=organization_id)
    context = webhook_context(event.provider.value, organization=organization, request_id=request_id)
    question = _store_event(context, event, snapshot, organization_id)
    if question is not None:
        answer = fetch_snapshot(event.provider, snapshot.kind, snapshot.external_id)
        if answer is not None:
            answer = replace(answer, firsts=snapshot.firsts)
            _store_provider_answer(context, event, answer, organization_id, question.ticket)
    if snapshot.kind is ObjectKind.SUBSCRIPTION:
        mirrored = ProviderSubscription.objects.get(provider=event.provider, external_id=snapshot.external_id)
        sync_workspaces_of(context, mirrored)
    return ProcessingResult(WebhookStatus.PROCESSED, organization_id, snapshot.customer_id)


def _keep_unmatched(event: ProviderEvent, snapshot: ObjectSnapshot) -> ProcessingResult:
    if settings.UNMARKED_CUSTOMERS_ARE_NOT_OURS and _is_unmarked(event, snapshot):
        note = f"The customer {snapshot.customer_id} has no mark of ours, so it is another product's."
        return ProcessingResult(
            WebhookStatus.IGNORED, customer_id=snapshot.customer_id, note=note, reason=WhyKept.NOT_OURS
        )
    return ProcessingResult(
        WebhookStatus.UNMATCHED,
        customer_id=snapshot.customer_id,
        note=explain_unmatched(snapshot),
        reason=WhyKept.CUSTOMER_UNKNOWN,
        charge_id="" if snapshot.customer_id else snapshot.charge_id,
    )


def _is_unmarked(event: ProviderEvent, snapshot: ObjectSnapshot) -> bool:
    """Whether the customer, as this event or the provider shows it, names no organization of ours."""
    if snapshot.kind is ObjectKind.CUSTOMER and snapshot.fields:
        return snapshot.organization_id is None
    customer = (
        fetch_snapshot(event.provider, ObjectKind.CUSTOMER, snapshot.customer_id) if snapshot.customer_id else None
    )
    return customer is not None and customer.organization_id is None


def find_customer_id(event: ProviderEvent, snapshot: ObjectSnapshot) -> str:
    """The provider's id of the customer; empty where the event does not lead to one that we know."""
    if snapshot.customer_id:
        return snapshot.customer_id
    rows = MODELS[snapshot.kind].objects.filter(provider=event.provider, external_id=snapshot.external_id)
    known = rows.values_list("customer_external_id", flat=True).first()
    return known or (_find_payer(event.provider, snapshot.charge_id) if snapshot.charge_id else "")


def _find_payer(provider: Provider, charge_id: str) -> str:
    """Who paid the charge: a refund of it may have said so; else the provider is asked, where a key is configured."""
    refunds = ProviderRefund.objects.filter(provider=provider, charge_external_id=charge_id)
    known = refunds.exclude(customer_external_id="").values_list("customer_external_id", flat=True).first()
    if known:
        return str(known)
    charge = fetch_snapshot(provider, ObjectKind.REFUND, charge_id)
    return charge.customer_id if charge else ""


def match_organization(event: ProviderEvent, snapshot: ObjectSnapshot) -> OrganizationId | None:
    """The organization that the event is about; None when its customer is not known yet.

    Raises `ConflictError` `provider_customer_taken` when the event ties a customer to another organization than before.
    """
    linked = find_organization(event.provider, snapshot.customer_id)
    claimed = OrganizationId(snapshot.organization_id) if snapshot.organization_id else None
    if claimed is None or not organization_exists(claimed):
        return linked
    if linked is not None and linked != claimed:
        label = event.provider.label
        raise ConflictError(
            f"The {label} customer {snapshot.customer_id} stands for organization {linked}; {event.type} names "
            f"{claimed}. Correct the metadata at {label}, then process the event again.",
            code="provider_customer_taken",
            title="The customer stands for another organization",
        )
    return claimed


def find_organization(provider: Provider, customer_id: str) -> OrganizationId | None:
    """The organization that the customer stands for; None while no event and no person has said so."""
    if not customer_id:
        return None
    found = None
    if provider in CUSTOMER_FIELDS:
        configs = OrganizationPaymentConfig.objects.filter(**{CUSTOMER_FIELDS[provider]: customer_id})
        found = configs.values_list("organization", flat=True).first()
    if found is None:
        customers = ProviderCustomer.objects.filter(provider=provider, external_id=customer_id)
        found = customers.values_list("organization", flat=True).first()
    return OrganizationId(found) if found else None


def explain_unmatched(snapshot: ObjectSnapshot) -> str:
    """Why an event waits, and what would help."""
    if snapshot.customer_id or not snapshot.charge_id:
        who = f"the customer {snapshot.customer_id}" if snapshot.customer_id else "its customer"
        return f"No organization is known yet for {who}."
    return (
        f"It names the charge {snapshot.charge_id} and no customer, and nothing that we know tells who paid that "
        "charge. It is matched once a refund of the charge comes. With a key of the provider in the settings the "
        "provider is asked: set it, then process this event again."
    )


@transaction.atomic(durable=True)
def _store_event(
    context: ExecutionContext, event: ProviderEvent, snapshot: ObjectSnapshot, organization_id: OrganizationId
) -> _Question | None:
    """Mirror the object and sync the statuses; the question for the provider, where one is needed and can be asked."""
    config = _lock_config(organization_id)
    result = store_snapshot(event, snapshot, organization_id)
    if snapshot.organization_id is not None or snapshot.kind is ObjectKind.CUSTOMER:
        config = settle_customer(context, config, event.provider)
    _sync_statuses(context, config, event, snapshot, result)
    if snapshot.kind is ObjectKind.REFUND:
        requeue_disputes(event.provider, snapshot.charge_id)
    track_event(context, event, snapshot, result.row, organization_id)
    if isinstance(result.row, ProviderSubscription) and result.before is not None:
        track_subscription_change(context, result.row, result.before, organization_id)
    if result.is_tied and provider_reader(event.provider) is not None:
        return _Question(result.row, take_ticket(result.row))
    return None


@transaction.atomic(durable=True)
def _store_provider_answer(
    context: ExecutionContext,
    event: ProviderEvent,
    answer: ObjectSnapshot,
    organization_id: OrganizationId,
    ticket: int,
) -> None:
    config = _lock_config(organization_id)
    _sync_statuses(context, config, event, answer, store_answer(event, answer, organization_id, ticket))


def _sync_statuses(
    context: ExecutionContext,
    config: OrganizationPaymentConfig,
    event: ProviderEvent,
    snapshot: ObjectSnapshot,
    result: MirrorResult,
) -> None:
    """An event that the mirror has passed changes no status, but for moments that it was the first to tell."""
    if snapshot.kind is ObjectKind.SUBSCRIPTION or "uncollectible_at" in snapshot.firsts:
        set_paused_aside(OrganizationId(config.organization_id))
    is_evidence = ignores_provider(PaymentStatus(config.payment_status))
    if snapshot.kind in {ObjectKind.INVOICE, ObjectKind.CUSTOMER}:
        if result.is_newest or not is_evidence:
            sync_payment_status(context, config, event)
    # A way to pay completes a checkout that had nothing to pay; by itself it is evidence of nothing.
    elif not is_evidence and (snapshot.kind is ObjectKind.PAYMENT_METHOD or "method_named_at" in snapshot.firsts):
        sync_payment_status(context, config, event)
    if snapshot.kind is ObjectKind.SUBSCRIPTION:
        sync_subscription_status(context, config)


# PostgreSQL's greatest passes over NULLs.
_CHECKED_OUT = Greatest("checkout_completed_at", "free_checkout_at")


def settle_customer(
    context: ExecutionContext, config: OrganizationPaymentConfig, provider: Provider, made_id: str = ""
) -> OrganizationPaymentConfig:
    """Write the customer that stands for the organization into its locked config; the config now.

    The one that is there came first and is the one that pays, until the provider says that it is deleted: then another
    one that we know takes its place. A deleted one is never written. `made_id` is one that we made ourselves a moment
    ago, before any news of it.
    """
    if provider not in CUSTOMER_FIELDS:
        return config
    current = getattr(config, CUSTOMER_FIELDS[provider])
    known = ProviderCustomer.objects.filter(provider=provider)
    gone = set(
        known.filter(external_id__in=[current, made_id], status=CustomerStatus.DELETED).values_list(
            "external_id", flat=True
        )
    )
    if current and current not in gone:
        return config
    ours = known.filter(organization=config.organization_id, status=CustomerStatus.ACTIVE)
    latest = ours.order_by(_CHECKED_OUT.desc(nulls_last=True), "external_id")
    chosen = made_id if made_id and made_id not in gone else latest.values_list("external_id", flat=True).first()
    if not chosen:
        return config
    change = SetProviderCustomer(provider, chosen)
    return payment_config_change(context, organization_id=OrganizationId(config.organization_id), change=change).record


def _lock_config(organization_id: OrganizationId) -> OrganizationPaymentConfig:
    config = payment_config_for_update(organization_id)
    if config is None:
        raise RuntimeError(f"Organization {organization_id} has no payment config.")
    return config
