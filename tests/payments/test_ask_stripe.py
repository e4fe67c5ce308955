"""Our Stripe client: pages of events, objects as they are, errors by what they mean for a write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import EventPage, ProviderCallError
from apps.payments.providers.stripe.api import StripeApi, _error_of
from tests.counterparts.stripe_fake import StripeFake, running

MAIL = "o@example.com"
ORGANIZATION = uuid.UUID("11111111-1111-4111-8111-111111111111")


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    with running(StripeFake()) as fake:
        yield fake


def provider_reader(fake: StripeFake) -> StripeApi:
    return StripeApi("sk_test_fake", fake.base)


@pytest.mark.parametrize("count", [0, 100, 101, 250])
def test_events_come_page_by_page_none_twice_none_missing(fake: StripeFake, count: int) -> None:
    since = datetime.fromtimestamp(fake.now, UTC)
    old = fake.emit("invoice.paid", {"id": "in_old"})
    old["created"] = fake.now - 1
    made = [fake.emit("invoice.paid", {"id": f"in_{number}"})["id"] for number in range(count)]
    found: list[str] = []
    page = EventPage(has_more=True)
    while page.has_more:
        page = provider_reader(fake).list_events(
            since, until=since + timedelta(days=1), after=found[-1] if found else ""
        )
        found += [event["id"] for event in page.events]
    assert found == made[::-1]
    pages = [request for request in fake.requests if request[:2] == ("GET", "/v1/events")]
    assert len(pages) == max(1, -(-count // 100))


@pytest.mark.parametrize(("kind", "name"), [(ObjectKind.CUSTOMER, "customer"), (ObjectKind.INVOICE, "invoice")])
def test_an_object_is_as_stripe_has_it_or_none(fake: StripeFake, kind: ObjectKind, name: str) -> None:
    thing = fake.make(name)
    assert provider_reader(fake).fetch_object(kind, thing["id"]) == thing
    assert provider_reader(fake).fetch_object(kind, f"{thing['id']}_gone") is None


def test_a_write_without_an_answer_is_unknown_and_found_again_by_its_key(fake: StripeFake) -> None:
    fake.faults = ["drop"]
    api = provider_reader(fake)
    with pytest.raises(ProviderCallError) as caught:
        api.create_customer(key="key-1", organization_id=ORGANIZATION, name="Northwind", email=MAIL)
    assert caught.value.is_unknown
    [made] = fake.of_kind("customer")
    assert api.find_customer(ORGANIZATION) == made["id"]
    assert api.create_customer(key="key-1", organization_id=ORGANIZATION, name="Northwind", email=MAIL) == made["id"]
    assert len(fake.of_kind("customer")) == 1


def test_a_key_with_another_body_is_refused_for_good(fake: StripeFake) -> None:
    api = provider_reader(fake)
    api.create_customer(key="key-1", organization_id=ORGANIZATION, name="Northwind", email=MAIL)
    with pytest.raises(ProviderCallError) as caught:
        api.create_customer(key="key-1", organization_id=ORGANIZATION, name="Southwind", email=MAIL)
    assert caught.value.is_permanent


def test_a_broken_stripe_leaves_the_outcome_unknown(fake: StripeFake) -> None:
    fake.faults = ["500"]
    with pytest.raises(ProviderCallError) as caught:
        provider_reader(fake).create_customer(
            key="key-1", organization_id=ORGANIZATION, name="Northwind", email="o@example.com"
        )
    assert (caught.value.is_unknown, caught.value.is_permanent) == (True, False)


def test_each_of_stripes_errors_says_whether_it_can_go_well_later() -> None:
    def made(name: str, *arguments: Any, **values: Any) -> Any:
        return getattr(stripe, name)(*arguments, **values)

    table: list[tuple[Any, bool, bool]] = [
        (made("APIConnectionError", "no route"), False, True),
        (stripe.APIError("broken", http_status=502), False, True),
        (stripe.IdempotencyError("in progress", http_status=409), False, True),
        (stripe.RateLimitError("slow down", http_status=429), False, False),
        (stripe.AuthenticationError("no such key sk_test_abc", http_status=401), False, False),
        (made("InvalidRequestError", "no such customer", "customer", http_status=400), True, False),
        (made("CardError", "declined", "card", "card_declined", http_status=402), True, False),
    ]
    for error, is_permanent, is_unknown in table:
        found = _error_of(error)
        assert (found.is_permanent, found.is_unknown) == (is_permanent, is_unknown), error
        assert "sk_test_abc" not in found.sentence
