"""The customers of a new organization: one each, whatever is lost on the way; and a row that says why it waits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from pytest_django import Settings

from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain, waiting_reason
from apps.core.states import OutboxStatus
from apps.payments.outbox_handlers import CustomerHandler
from apps.payments.providers.stripe import api as stripe_provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.counterparts.stripe_fake import RESOURCES, StripeFake, running
from tests.factories.tenants import make_organization

MAIL = "o@example.com"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(settings: Settings) -> Iterator[StripeFake]:
    with running(StripeFake()) as fake:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_fake", fake.base
        yield fake


def drain(*, again: bool = True) -> None:
    """Carry out what is due, and what failed as if its wait were over."""
    for _ in range(6 if again else 1):
        outbox_drain(console_context())
        OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at="2020-01-01T00:00:00Z")


def enqueued(kind: str) -> tuple[Organization, OutboxItem]:
    organization = make_organization("Northwind", billing_email="bills@northwind.example")
    item = OutboxItem.objects.get(kind=kind, organization_id=organization.pk)
    return organization, item


def config_of(organization: Organization) -> OrganizationPaymentConfig:
    return OrganizationPaymentConfig.objects.get(organization=organization)


def test_a_row_without_a_key_waits_and_says_why(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = settings.ORB_API_KEY = ""
    _, item = enqueued("stripe.create_customer")
    drain()
    item.refresh_from_db()
    assert (item.status, item.attempts) == (OutboxStatus.PENDING, 0)
    assert waiting_reason("stripe.create_customer") == "STRIPE_SECRET_KEY is not set."
    assert waiting_reason("orb.create_customer") == "ORB_API_KEY is not set."


FAULTS = ["", "drop", "500"]


@pytest.mark.parametrize(
    "faults", list(itertools.product(FAULTS, repeat=2)), ids=lambda faults: "-".join(faults) or "-"
)
def test_there_is_one_customer_whatever_is_lost(fake: StripeFake, faults: tuple[str, ...]) -> None:
    fake.faults = list(faults)
    organization, item = enqueued("stripe.create_customer")
    drain()
    customers = fake.of_kind("customer")
    assert [one["metadata"] for one in customers] == [{"organization_id": str(organization.pk)}]
    assert config_of(organization).payment_provider_id == customers[0]["id"]
    item.refresh_from_db()
    assert item.status == OutboxStatus.DONE
    (key,) = {key for method, _, key in fake.requests if method == "POST"}
    assert key.startswith(item.key)


def test_a_search_that_lags_makes_no_second_customer(fake: StripeFake) -> None:
    fake.faults, fake.is_search_stale = ["drop"], True
    enqueued("stripe.create_customer")
    drain()
    assert len(fake.of_kind("customer")) == 1


def test_control_without_asking_and_with_another_key_each_time_there_are_two(
    fake: StripeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()

    def careless(self: Any, delivery: Any, organization_id: Any) -> str:
        api = stripe_provider.stripe_api()
        assert api is not None
        return api.create_customer(
            key=f"k{next(numbers)}", organization_id=organization_id, name="Northwind", email="o@example.com"
        )

    monkeypatch.setattr(CustomerHandler, "find_or_create", careless)
    fake.faults = ["drop"]
    enqueued("stripe.create_customer")
    drain()
    assert len(fake.of_kind("customer")) == 2


def test_a_customer_of_a_checkout_is_not_replaced(fake: StripeFake) -> None:
    organization, _ = enqueued("stripe.create_customer")
    OrganizationPaymentConfig.objects.filter(organization=organization).update(payment_provider_id="cus_of_checkout")
    drain()
    assert config_of(organization).payment_provider_id == "cus_of_checkout"


@responses.activate
@pytest.mark.slow
def test_orb_is_asked_before_a_second_try(settings: Settings) -> None:
    settings.ORB_API_KEY, settings.ORB_API_BASE = "orb_key", "https://orb.example/v1"
    settings.STRIPE_SECRET_KEY = ""
    organization, item = enqueued("orb.create_customer")
    for _ in range(3):
        responses.post("https://orb.example/v1/customers", status=500)
    responses.get(
        f"https://orb.example/v1/customers/external_customer_id/{organization.pk}", json={"id": "orb_1"}, status=200
    )
    drain()
    assert config_of(organization).orb_customer_id == "orb_1"
    posts = [call for call in responses.calls if call.request.method == "POST"]
    (key,) = {call.request.headers["Idempotency-Key"] for call in posts}
    assert key.startswith(item.key)


def test_the_fake_has_the_published_shapes() -> None:
    fake = StripeFake()
    for kind in ("customer", "checkout.session", "billing_portal.session", "invoice", "subscription", "price"):
        assert set(fake.make(kind)) == set(RESOURCES[kind])
    assert set(fake.emit("invoice.paid", fake.make("invoice"))) == set(RESOURCES["event"])
