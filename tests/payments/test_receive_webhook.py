"""The inbox's door: who is let in, what is kept, what each body is answered (spec 04, Webhooks; spec 09; spec 11)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from apps.core import clock
from apps.payments import webhooks
from apps.payments.models import WebhookEvent
from tests.payments.cast import (
    NOON,
    ORB_SECRETS,
    STRIPE_SECRETS,
    Stripe,
    deliver,
    make_tenant,
    post,
    signed_orb,
    signed_stripe,
    stored,
)
from tests.sent import statements

pytestmark = pytest.mark.django_db
BODY = json.dumps({"id": "evt_1", "type": "plan.created", "created": 1, "data": {"object": {}}}).encode()
ORB_BODY = json.dumps({"id": "evt_1", "type": "plan.created", "created_at": "2026-04-01T12:00:00+00:00"}).encode()


def send(body: bytes, headers: Mapping[str, str], provider: str = "stripe") -> int:
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/webhooks/{provider}", body, content_type="application/json", headers=headers).status_code


@pytest.mark.parametrize("secret", STRIPE_SECRETS)
def test_either_live_secret_of_stripe_signs(secret: str) -> None:
    assert send(BODY, signed_stripe(BODY, secret=secret)) == 200
    assert WebhookEvent.objects.get().status == "ignored"


@pytest.mark.parametrize("secret", ORB_SECRETS)
def test_either_live_secret_of_orb_signs(secret: str) -> None:
    assert send(ORB_BODY, signed_orb(ORB_BODY, secret=secret), "orb") == 200


@pytest.mark.parametrize("minutes", [-10_000, -6, 6, 500_000])
def test_a_time_outside_the_tolerance_on_either_side_is_401(minutes: int) -> None:
    at = clock.now() + timedelta(minutes=minutes)
    assert send(BODY, signed_stripe(BODY, at=at)) == 401
    assert send(ORB_BODY, signed_orb(ORB_BODY, at=at), "orb") == 401
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=aa",
        "t=x,v1=aa",
        "t=1,t=2,v1=aa",
        "t=1,v1=",
        ",,,",
        "t=-1,v1=aa",
        "t=99999999999999,v1=aa",
        "t=1,v0=aa",
    ],
)
def test_a_missing_or_broken_signature_is_401(header: str) -> None:
    assert send(BODY, {"Stripe-Signature": header} if header else {}) == 401
    assert send(BODY, {"X-Orb-Signature": header, "X-Orb-Timestamp": header}, "orb") == 401
    assert not WebhookEvent.objects.exists()


def test_a_wrong_signature_is_401() -> None:
    good = signed_stripe(BODY)["Stripe-Signature"]
    for wrong in (good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace("v1=", "v0="), good.upper()):
        assert send(BODY, {"Stripe-Signature": wrong}) == 401
    assert send(BODY + b" ", {"Stripe-Signature": good}) == 401
    assert send(BODY, signed_stripe(BODY, secret="whsec_of_somebody_else")) == 401
    assert send(BODY, signed_stripe(BODY, secret=ORB_SECRETS[0])) == 401
    assert not WebhookEvent.objects.exists()


def test_a_large_body_is_413_and_a_get_405() -> None:
    large = b" " * (1024 * 1024 + 1)
    assert send(large, signed_stripe(large)) == 413
    answer = Client().get("/webhooks/stripe")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def malformed() -> list[bytes]:
    """Bodies that are no event: no JSON, no object, or without an id or a type that is a text."""
    deep_list = b"[" * 100_000 + b"]" * 100_000
    bodies: list[bytes] = [b"", b"[]", b"null", b'"x"', b"{", b"\xff", b"{}", b'{"created":1e999}', deep_list]
    bodies += [b'{"id":"\\u0000"}', b'{"a":' * 40 + b"1" + b"}" * 40, b'{"a":' * 5_000 + b"1" + b"}" * 5_000]
    for name in ("id", "type"):
        values: tuple[Any, ...] = (None, True, "", -1, 10**30, 1.5, [], {})
        for value in values:
            bodies.append(json.dumps({"id": "evt_1", "type": "plan.created", name: value}).encode())
    return bodies


@pytest.mark.parametrize("body", malformed(), ids=lambda body: body[:30].hex())
def test_what_is_no_event_is_400_and_nothing_is_kept(body: bytes) -> None:
    assert send(body, signed_stripe(body)) == 400
    assert not WebhookEvent.objects.exists()


def test_a_duplicate_is_200_and_no_new_row() -> None:
    tenant = make_tenant()
    event = Stripe(tenant).checkout(NOON)
    deliver(event)
    before = WebhookEvent.objects.values().get()
    assert post(event) == 200
    assert WebhookEvent.objects.values().get() == before


def test_the_door_is_one_statement() -> None:
    event = Stripe(make_tenant()).checkout(NOON)
    for _ in ("new", "known"):
        with statements() as sent:
            post(event)
        assert len(sent) == 1, sent


def test_a_database_that_is_away_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(webhooks, "store", away)
    assert send(BODY, signed_stripe(BODY)) == 503


def test_new_fields_are_passed_over_and_expanded_objects_are_read() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    invoice = stripe.invoice("1", "paid", customer={"id": tenant.customer, "object": "customer"}, brand_new={"a": [1]})
    deliver(stripe.checkout(NOON), stripe.event("invoice.paid", invoice, NOON, brand_new=1))
    assert tenant.status == "okay"


def test_an_event_of_an_unknown_customer_waits_until_the_customer_is_known() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    failed = stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON)
    deliver(failed)
    assert (stored(failed).status, tenant.status) == ("unmatched", "uninitialized")
    deliver(stripe.event("customer.updated", stripe.customer(), NOON))
    assert (stored(failed).status, tenant.status) == ("processed", "grace_period")
