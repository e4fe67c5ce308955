"""Links to a provider's own page of an object, beside the id that can be copied; and whose customer it is."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, copyable
from apps.payments.models import ProviderCustomer
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import OrganizationPaymentConfig

_STRIPE = {"customer": "customers", "subscription": "subscriptions", "invoice": "invoices", "dispute": "disputes"}
_ORB = {"customer": "customers", "subscription": "subscriptions", "invoice": "invoices"}


def provider_url(provider: str, kind: str, key: str) -> str:
    """The page at the provider; empty where it has none of that kind."""
    quoted = quote(key, safe="")
    if provider == Provider.STRIPE and kind in _STRIPE:
        test = "test/" if str(settings.STRIPE_SECRET_KEY).startswith(("sk_test_", "rk_test_")) else ""
        return f"https://dashboard.stripe.com/{test}{_STRIPE[kind]}/{quoted}"
    if provider == Provider.ORB and kind in _ORB:
        return f"https://app.withorb.com/{_ORB[kind]}/{quoted}"
    return ""


def provider_link(provider: str, kind: str, key: str | None) -> SafeString:
    """The id with a button that copies it, and the way to the provider's page."""
    if not key:
        return NOTHING
    url = provider_url(provider, kind, key)
    if not url:
        return copyable(key)
    label = Provider(provider).label
    return format_html(
        '{} <a class="ch-link ch-out" href="{}" target="_blank" rel="noopener noreferrer">Open at {}</a>',
        copyable(key),
        url,
        label,
    )


def owners_of_customers(named: AbstractSet[tuple[str, str]]) -> dict[tuple[str, str], tuple[UUID, str]]:
    """The organization that each customer of a provider is bound to or was heard of with: its id and name."""
    keys = sorted({key for _, key in named if key})
    if not keys:
        return {}
    found: dict[tuple[str, str], tuple[UUID, str]] = {}
    heard = ProviderCustomer.objects.filter(external_id__in=keys, organization__isnull=False)
    for provider, key, *owner in heard.values_list("provider", "external_id", "organization", "organization__name"):
        found[provider, key] = (owner[0], owner[1])
    for provider, column in ((Provider.STRIPE, "payment_provider_id"), (Provider.ORB, "orb_customer_id")):
        bound = OrganizationPaymentConfig.objects.filter(**{f"{column}__in": keys})
        for key, *owner in bound.values_list(column, "organization", "organization__name"):
            found[provider.value, key] = (owner[0], owner[1])
    return found
