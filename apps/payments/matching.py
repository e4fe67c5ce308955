"""Which organization a provider's news is about (spec 04, Webhooks, second paragraph)."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.hints import hint_after_commit
from apps.core.ids import OrganizationId
from apps.payments.asking import ask
from apps.payments.contracts import EventNews, ObjectKind, ObjectNews
from apps.payments.enums import WebhookStatus
from apps.payments.mirror import MODELS
from apps.payments.models import ProviderCustomer, ProviderRefund, WebhookEvent
from apps.subscriptions.contracts import SetProviderCustomer
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.services import payment_config_change
from apps.tenants.selectors.organizations import organization_exists

SWEEP_TASK = "payments.sweep_inbox"
CUSTOMER_FIELDS = {Provider.STRIPE: "payment_provider_id", Provider.ORB: "orb_customer_id"}


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


def drive_unmatched(provider: Provider | None = None, customer_id: str = "") -> int:
    """Put events that waited for a customer who is known now back to work; all such, or those of one customer."""
    waiting = WebhookEvent.objects.filter(status=WebhookStatus.UNMATCHED)
    if provider is not None:
        waiting = waiting.filter(provider=provider, customer_external_id=customer_id)
    else:
        waiting = waiting.filter(_customer_is_known())
    count = waiting.update(status=WebhookStatus.RECEIVED, next_try_at=clock.now(), error="")
    if count:
        hint_after_commit(SWEEP_TASK)
    return count


def drive_disputes(provider: Provider, charge_id: str) -> None:
    """Put disputes that waited for somebody to say who paid the charge back to work."""
    waiting = WebhookEvent.objects.filter(status=WebhookStatus.UNMATCHED, provider=provider, customer_external_id="")
    waiting = waiting.filter(type__startswith="charge.dispute.", payload__data__object__charge=charge_id)
    if waiting.update(status=WebhookStatus.RECEIVED, next_try_at=clock.now(), error=""):
        hint_after_commit(SWEEP_TASK)


def _customer_is_known() -> Q:
    known = Q(pk__in=[])
    for provider, field in CUSTOMER_FIELDS.items():
        configs = OrganizationPaymentConfig.objects.exclude(**{field: None}).values(field)
        known |= Q(provider=provider, customer_external_id__in=configs)
        customers = ProviderCustomer.objects.filter(provider=provider).exclude(organization=None)
        known |= Q(provider=provider, customer_external_id__in=customers.values("external_id"))
    return known & ~Q(customer_external_id="")
