"""Our Orb client: what it sends, what it makes of each answer; a write without an answer is asked about."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
import responses

from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import ProviderCallError
from apps.payments.providers.orb.api import OrbApi

BASE = "https://orb.example/v1"
ORGANIZATION = uuid.UUID("11111111-1111-4111-8111-111111111111")
BY_OUR_ID = f"{BASE}/customers/external_customer_id/{ORGANIZATION}"
API = OrbApi("orb_secret_key", f"{BASE}/")


@pytest.fixture
def orb() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def create() -> str:
    return API.create_customer(key="key-1", organization_id=ORGANIZATION, name="Northwind", email="o@example.com")


def test_a_customer_is_made_with_our_id_and_our_key(orb: responses.RequestsMock) -> None:
    orb.post(f"{BASE}/customers", json={"id": "orb_1"}, status=201)
    assert create() == "orb_1"
    request = orb.calls[0].request
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["Authorization"] == "Bearer orb_secret_key"
    sent = {"external_customer_id": str(ORGANIZATION), "name": "Northwind", "email": "o@example.com"}
    assert json.loads(request.body or b"") == sent


@pytest.mark.parametrize("status", [400, 409])
def test_one_that_is_there_already_is_found_and_not_made_again(orb: responses.RequestsMock, status: int) -> None:
    orb.post(f"{BASE}/customers", json={"title": "taken"}, status=status)
    orb.get(BY_OUR_ID, json={"id": "orb_before"})
    assert create() == "orb_before"


def test_a_refusal_that_is_not_because_it_is_there_is_for_good(orb: responses.RequestsMock) -> None:
    orb.post(f"{BASE}/customers", json={"title": "no"}, status=400)
    orb.get(BY_OUR_ID, status=404)
    with pytest.raises(ProviderCallError) as caught:
        create()
    assert caught.value.is_permanent


@pytest.mark.parametrize(
    ("status", "is_permanent", "is_unknown"),
    [(401, False, False), (403, False, False), (422, True, False), (429, False, True), (500, False, True)],
)
@pytest.mark.slow
def test_each_error_says_whether_it_can_go_well_later(
    orb: responses.RequestsMock, status: int, is_permanent: bool, is_unknown: bool
) -> None:
    orb.post(f"{BASE}/customers", json={}, status=status)
    with pytest.raises(ProviderCallError) as caught:
        create()
    assert (caught.value.is_permanent, caught.value.is_unknown) == (is_permanent, is_unknown)
    assert "orb_secret_key" not in caught.value.sentence


def test_a_limit_says_how_long_to_wait(orb: responses.RequestsMock) -> None:
    orb.post(f"{BASE}/customers", json={}, status=429, headers={"Retry-After": "7"})
    with pytest.raises(ProviderCallError) as caught:
        create()
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize("error", [requests.ReadTimeout(), requests.ConnectionError()])
@pytest.mark.slow
def test_no_answer_to_a_write_is_unknown(orb: responses.RequestsMock, error: Exception) -> None:
    orb.post(f"{BASE}/customers", body=error)
    with pytest.raises(ProviderCallError) as caught:
        create()
    assert caught.value.is_unknown
    assert not caught.value.is_permanent


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"id": 1}', "<html>"])
def test_an_answer_that_is_no_object_is_unknown_and_never_an_id(orb: responses.RequestsMock, body: str) -> None:
    orb.post(f"{BASE}/customers", body=body, status=200)
    with pytest.raises(ProviderCallError) as caught:
        create()
    assert caught.value.is_unknown


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ObjectKind.CUSTOMER, "customers"),
        (ObjectKind.SUBSCRIPTION, "subscriptions"),
        (ObjectKind.INVOICE, "invoices"),
    ],
)
def test_an_object_is_asked_by_its_id(orb: responses.RequestsMock, kind: ObjectKind, path: str) -> None:
    orb.get(f"{BASE}/{path}/a%2Fb", json={"id": "a/b", "status": "paid"})
    assert API.fetch_object(kind, "a/b") == {"id": "a/b", "status": "paid"}
    orb.get(f"{BASE}/{path}/gone", status=404)
    assert API.fetch_object(kind, "gone") is None


def test_what_orb_does_not_have_is_not_asked(orb: responses.RequestsMock) -> None:
    assert API.fetch_object(ObjectKind.DISPUTE, "dp_1") is None
    assert API.list_events(datetime(2026, 4, 1, tzinfo=UTC), until=datetime(2026, 4, 2, tzinfo=UTC)).events == ()
    assert len(orb.calls) == 0
