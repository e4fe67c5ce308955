"""A third payment provider is one folder: verified, stored, parsed, mirrored, with no other code of payments changed.

Beside the folder it needs a member of `Provider` and one migration, since the database checks provider names. The
fixture stands for both, and for the settings.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from apps.core import clock
from apps.payments.enums import WebhookStatus
from apps.payments.models import ProviderCustomer, ProviderInvoice, WebhookEvent
from apps.payments.providers.contract import PaymentProvider, payment_provider
from apps.payments.webhooks import WebhookView
from apps.subscriptions.enums import Provider
from tests.payments.cast import NOON, Tenant, make_tenant, sweep

pytestmark = pytest.mark.django_db

SECRET = "acme-secret"
CHECKS = {
    "payments_webhookevent": "webhook_event_provider_known",
    "payments_providercustomer": "providercustomer_provider_known",
    "payments_providerinvoice": "providerinvoice_provider_known",
}
FOLDER = "apps.payments.providers.acme"


@pytest.fixture
def acme(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """`Provider` has a member Acme, the database knows it, its folder is in its place, and it has a secret."""
    member = str.__new__(Provider, "acme")
    member._name_, member._value_, member._label_ = "ACME", "acme", "Acme"
    monkeypatch.setattr(Provider, "_member_names_", [*Provider._member_names_, "ACME"])
    monkeypatch.setitem(Provider._member_map_, "ACME", member)
    monkeypatch.setitem(Provider._value2member_map_, "acme", member)
    with connection.cursor() as cursor:
        for table, check in CHECKS.items():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")
    monkeypatch.setitem(sys.modules, FOLDER, import_module("tests.payments.acme"))
    settings.WEBHOOK_SECRETS = {**settings.WEBHOOK_SECRETS, "acme": [SECRET]}
    yield member
    sys.modules.pop("tests.payments.acme")


def post(provider: Provider, event: dict[str, Any], *, secret: str = SECRET) -> HttpResponse:
    body, stamp = json.dumps(event).encode(), clock.now().isoformat()
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    request = RequestFactory().post(
        "/webhooks/acme", body, content_type="application/json", headers={"Acme-Signature": f"{stamp} {signature}"}
    )
    answer = WebhookView.as_view(provider=provider)(request)
    assert isinstance(answer, HttpResponse)
    return answer


def events(tenant: Tenant) -> list[dict[str, Any]]:
    customer = {"kind": "customer", "id": "c1", "customer": "c1", "our_id": str(tenant.organization.pk)}
    invoice = {"kind": "invoice", "id": "i1", "customer": "c1", "cents": 4900}
    return [
        {"id": "e1", "type": "customer.created", "at": NOON.isoformat(), "object": customer},
        {"id": "e2", "type": "invoice.failed", "at": NOON.isoformat(), "object": invoice},
    ]


@pytest.mark.parametrize("is_customer_first", [True, False], ids=["in-order", "the-customer-comes-late"])
def test_an_event_of_a_third_provider_changes_the_payment_status(acme: Provider, is_customer_first: bool) -> None:
    tenant = make_tenant()
    for event in events(tenant) if is_customer_first else reversed(events(tenant)):
        assert post(acme, event).status_code == 200
        sweep()
    sweep()
    assert set(WebhookEvent.objects.values_list("provider", "status")) == {("acme", WebhookStatus.PROCESSED)}
    assert ProviderCustomer.objects.get(provider="acme").organization == tenant.organization
    assert ProviderInvoice.objects.get(provider="acme").total_minor == 4900
    assert tenant.config.payment_status == "grace_period"


def test_what_another_secret_signed_is_neither_read_nor_stored(acme: Provider) -> None:
    assert post(acme, events(make_tenant())[0], secret="another").status_code == 401
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("name", list(Provider))
def test_each_name_has_its_folder(name: Provider) -> None:
    provider = payment_provider(name)
    assert isinstance(provider, PaymentProvider)
    assert provider.name is name
