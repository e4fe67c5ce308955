"""What is done about one stored event: match, mirror, settle (spec 04, Webhooks). No claim, no retry: see services.

Two transactions. The first takes the news into the mirror and brings the payment config to what the mirror claims; the
second lets the workspace subscription follow. Each is a function of the mirror, so that either may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, RequestId
from apps.payments import workspace_news
from apps.payments.asking import api_of, ask
from apps.payments.contracts import EventNews, ObjectKind, ObjectNews
from apps.payments.enums import WebhookStatus
from apps.payments.matching import bind, drive_disputes, match, named, unmatched_note
from apps.payments.mirror import MODELS, Taken, mirror_answer, mirror_ask, mirror_take
from apps.payments.models import MirroredObject, ProviderSubscription
from apps.payments.standing import settle_payments, settle_subscription_status
from apps.payments.tracking import news_track
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.payment_transitions import ignores_provider
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.tenants.access import webhook_context
from apps.tenants.models import Organization


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
        workspace_news.follow(context, row)


def _locked_config(organization_id: OrganizationId) -> OrganizationPaymentConfig:
    config = payment_config_for_update(organization_id)
    if config is None:
        raise RuntimeError(f"Organization {organization_id} has no payment config.")
    return config


def _context(news: EventNews, organization_id: OrganizationId, request_id: RequestId) -> ExecutionContext:
    organization = Organization.objects.get(pk=organization_id)
    return webhook_context(news.provider.value, organization=organization, request_id=request_id)
