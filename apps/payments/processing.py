"""Processes one stored event: match, mirror, sync the statuses (spec 04, Webhooks). Retries are with the services.

Two transactions. The first takes the news into the mirror and brings the payment config to what the mirror claims; the
second syncs the workspace subscription. Each is a function of the mirror, so that either may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, RequestId
from apps.payments import workspace_sync
from apps.payments.contracts import EventNews, ObjectKind, ObjectNews
from apps.payments.enums import WebhookStatus
from apps.payments.inbox import CUSTOMER_FIELDS, drive_disputes
from apps.payments.mirror import MODELS, Taken, mirror_answer, mirror_ask, mirror_take
from apps.payments.models import MirroredObject, ProviderCustomer, ProviderRefund, ProviderSubscription
from apps.payments.providers.registry import api_of, ask
from apps.payments.status_sync import settle_payments, settle_subscription_status
from apps.payments.tracking import news_track
from apps.subscriptions.contracts import SetProviderCustomer
from apps.subscriptions.enums import PaymentStatus, Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.payment_transitions import ignores_provider
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change
from apps.tenants.access import webhook_context
from apps.tenants.models import Organization
from apps.tenants.selectors.organizations import organization_exists


@dataclass(frozen=True, slots=True)
class Processed:
    """What came of the event. `customer_id` is what an unmatched one waits for."""

    status: WebhookStatus
    organization_id: OrganizationId | None = None
    customer_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    """News of one second that only the provider can order."""

    row: MirroredObject
    ticket: int


def process(news: EventNews, *, request_id: RequestId) -> Processed:
    """Do everything that the event asks for. Any error means that it must be tried again, from the start."""
    about = news.about
    if about is None:
        return Processed(WebhookStatus.IGNORED, note="Nothing in this event concerns us.")
    about = named(news, about)
    organization_id = match(news, about)
    if organization_id is None:
        return Processed(WebhookStatus.UNMATCHED, customer_id=about.customer_id, note=unmatched_note(about))
    context = _context(news, organization_id, request_id)
    question = _take(context, news, about, organization_id)
    if question is not None:
        answer = ask(news.provider, about.kind, about.external_id)
        if answer is not None:
            _take_answer(context, news, replace(answer, firsts=about.firsts), organization_id, question.ticket)
    if about.kind is ObjectKind.SUBSCRIPTION:
        _follow(context, news, about)
    return Processed(WebhookStatus.PROCESSED, organization_id, about.customer_id)


@transaction.atomic(durable=True)
def _take(
    context: ExecutionContext, news: EventNews, about: ObjectNews, organization_id: OrganizationId
) -> _Question | None:
    config = _locked_config(organization_id)
    config = bind(context, news, about, config)
    taken = mirror_take(news, about, organization_id)
    _settle(context, config, news, about, taken)
    if about.kind is ObjectKind.REFUND:
        drive_disputes(news.provider, about.charge_id)
    news_track(context, news, about, organization_id)
    if taken.is_tied and api_of(news.provider) is not None:
        return _Question(taken.row, mirror_ask(taken.row))
    return None


@transaction.atomic(durable=True)
def _take_answer(
    context: ExecutionContext, news: EventNews, answer: ObjectNews, organization_id: OrganizationId, ticket: int
) -> None:
    config = _locked_config(organization_id)
    _settle(context, config, news, answer, mirror_answer(news, answer, organization_id, ticket))


def _settle(
    context: ExecutionContext, config: OrganizationPaymentConfig, news: EventNews, about: ObjectNews, taken: Taken
) -> None:
    """Old news changes nothing of what is claimed, but for moments that it was the first to tell."""
    if about.kind in {ObjectKind.INVOICE, ObjectKind.CUSTOMER}:
        is_evidence = ignores_provider(PaymentStatus(config.payment_status))
        if taken.is_newest or not is_evidence:
            settle_payments(context, config, news)
    if about.kind is ObjectKind.SUBSCRIPTION:
        settle_subscription_status(context, config)


def _follow(context: ExecutionContext, news: EventNews, about: ObjectNews) -> None:
    row = MODELS[about.kind].objects.get(provider=news.provider, external_id=about.external_id)
    if isinstance(row, ProviderSubscription):
        workspace_sync.follow(context, row)


def _locked_config(organization_id: OrganizationId) -> OrganizationPaymentConfig:
    config = payment_config_for_update(organization_id)
    if config is None:
        raise RuntimeError(f"Organization {organization_id} has no payment config.")
    return config


def _context(news: EventNews, organization_id: OrganizationId, request_id: RequestId) -> ExecutionContext:
    organization = Organization.objects.get(pk=organization_id)
    return webhook_context(news.provider.value, organization=organization, request_id=request_id)


def named(news: EventNews, about: ObjectNews) -> ObjectNews:
    """The news with the customer that it leads to. May ask the provider: never inside a transaction."""
    return replace(about, customer_id=customer_of(news, about))


def customer_of(news: EventNews, about: ObjectNews) -> str:
    """The provider's id of the customer; empty where the news does not lead to one that we know."""
    if about.customer_id:
        return about.customer_id
    rows = MODELS[about.kind].objects.filter(provider=news.provider, external_id=about.external_id)
    known = rows.values_list("customer_external_id", flat=True).first()
    return known or (_customer_of_charge(news.provider, about.charge_id) if about.charge_id else "")


def _customer_of_charge(provider: Provider, charge_id: str) -> str:
    """Who paid the charge: a refund of it may have told; else the provider is asked, where a key is configured."""
    refunds = ProviderRefund.objects.filter(provider=provider, charge_external_id=charge_id)
    known = refunds.exclude(customer_external_id="").values_list("customer_external_id", flat=True).first()
    if known:
        return str(known)
    charge = ask(provider, ObjectKind.REFUND, charge_id)
    return charge.customer_id if charge else ""


def unmatched_note(about: ObjectNews) -> str:
    """Why an event waits, and what would help."""
    if about.customer_id or not about.charge_id:
        who = f"the customer {about.customer_id}" if about.customer_id else "its customer"
        return f"No organization is known yet for {who}."
    return (
        f"It names the charge {about.charge_id} and no customer, and nothing that we know tells who paid that charge. "
        "It is matched once a refund of the charge comes. With a key of the provider in the settings the provider is "
        "asked: set it, then process this event again."
    )


def organization_of(provider: Provider, customer_id: str) -> OrganizationId | None:
    """The organization that the customer stands for; None while nobody has said so."""
    if not customer_id:
        return None
    configs = OrganizationPaymentConfig.objects.filter(**{CUSTOMER_FIELDS[provider]: customer_id})
    found = configs.values_list("organization", flat=True).first()
    if found is None:
        customers = ProviderCustomer.objects.filter(provider=provider, external_id=customer_id)
        found = customers.values_list("organization", flat=True).first()
    return OrganizationId(found) if found else None


def match(news: EventNews, about: ObjectNews) -> OrganizationId | None:
    """The organization that the news is about; None when its customer is not known yet. `named` comes before it.

    Raises `ConflictError` `provider_customer_taken` when the news ties a customer to another organization than before.
    """
    bound = organization_of(news.provider, about.customer_id)
    claimed = OrganizationId(about.organization_id) if about.organization_id else None
    if claimed is None or not organization_exists(claimed):
        return bound
    if bound is not None and bound != claimed:
        raise ConflictError(
            f"The {news.provider.label} customer {about.customer_id} stands for organization {bound}; {news.type} "
            f"names {claimed}. Correct the metadata at {news.provider.label}, then process the event again.",
            code="provider_customer_taken",
            title="The customer stands for another organization",
        )
    return claimed


def bind(
    context: ExecutionContext, news: EventNews, about: ObjectNews, config: OrganizationPaymentConfig
) -> OrganizationPaymentConfig:
    """Keep the customer on the organization's config, unless it has one there; its further customers count as well."""
    if about.organization_id is None or getattr(config, CUSTOMER_FIELDS[news.provider]):
        return config
    change = SetProviderCustomer(news.provider, about.customer_id)
    return payment_config_change(context, organization_id=OrganizationId(config.organization_id), change=change).record
