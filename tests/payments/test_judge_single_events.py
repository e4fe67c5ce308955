"""What one event leads to: whose it is, why it waits, and what the provider is asked (spec 04, Webhooks)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, RequestId
from apps.payments import processing
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import WebhookStatus, WhyKept
from apps.payments.models import ProviderInvoice
from apps.payments.processing import (
    ProcessingResult,
    explain_unmatched,
    find_customer_id,
    find_organization,
    match_organization,
    process,
)
from apps.payments.providers.contract import read_from
from apps.subscriptions.enums import Provider
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, stored
from tests.payments.lives import StripeTruth

OURS, OTHERS = OrganizationId(UUID(int=1)), OrganizationId(UUID(int=2))
EVENT = ProviderEvent(Provider.STRIPE, "evt_1", "invoice.paid", NOON, None)
INVOICE = ObjectSnapshot(ObjectKind.INVOICE, "in_1", "cus_1", fields={"status": "paid"})
CUSTOMER = ObjectSnapshot(ObjectKind.CUSTOMER, "cus_1", "cus_1", fields={"status": "active"})


@pytest.mark.parametrize(
    ("ignore", "note"),
    [(None, "Nothing in this event concerns us."), *((why, why.label) for why in WhyKept)],
)
def test_an_event_that_shows_nothing_is_ignored_and_says_why(ignore: WhyKept | None, note: str) -> None:
    result = process(replace(EVENT, ignore=ignore), request_id=RequestId("r"))
    assert result == ProcessingResult(WebhookStatus.IGNORED, note=note, reason=ignore)


@pytest.mark.parametrize(
    ("snapshot", "answer", "asked", "is_unmarked"),
    [
        # The event shows the customer itself, and nobody is asked.
        (CUSTOMER, None, [], True),
        (replace(CUSTOMER, organization_id=OURS), None, [], False),
        # The news that a customer is gone shows nothing of it.
        (replace(CUSTOMER, fields={}), CUSTOMER, ["cus_1"], True),
        (replace(CUSTOMER, fields={}), replace(CUSTOMER, organization_id=OURS), ["cus_1"], False),
        (INVOICE, CUSTOMER, ["cus_1"], True),
        (INVOICE, replace(CUSTOMER, organization_id=OURS), ["cus_1"], False),
        # Where nobody answers, it may be ours.
        (INVOICE, None, ["cus_1"], False),
        (replace(INVOICE, customer_id=""), CUSTOMER, [], False),
    ],
)
def test_a_customer_is_unmarked_where_somebody_has_shown_it_without_our_mark(
    snapshot: ObjectSnapshot,
    answer: ObjectSnapshot | None,
    asked: list[str],
    is_unmarked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = list[str]()

    def fetch(provider: Provider, kind: ObjectKind, external_id: str) -> ObjectSnapshot | None:
        assert (provider, kind) == (Provider.STRIPE, ObjectKind.CUSTOMER)
        found.append(external_id)
        return answer

    monkeypatch.setattr(processing, "fetch_snapshot", fetch)
    assert processing._is_unmarked(EVENT, snapshot) is is_unmarked
    assert found == asked


@pytest.mark.parametrize("linked", [None, OURS, OTHERS])
@pytest.mark.parametrize("claimed", [None, OURS])
@pytest.mark.parametrize("exists", [False, True])
def test_a_claim_counts_where_its_organization_exists_and_contradicts_nothing(
    linked: OrganizationId | None, claimed: OrganizationId | None, exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[OrganizationId]()

    def look_up(organization_id: OrganizationId) -> bool:
        asked.append(organization_id)
        return exists

    monkeypatch.setattr(processing, "find_organization", lambda *_: linked)
    monkeypatch.setattr(processing, "organization_exists", look_up)
    snapshot = replace(INVOICE, organization_id=claimed)
    if claimed and exists and linked == OTHERS:
        with pytest.raises(ConflictError) as refused:
            match_organization(EVENT, snapshot)
        assert refused.value.problem_code == "provider_customer_taken"
    else:
        assert match_organization(EVENT, snapshot) == (claimed if claimed and exists else linked)
    assert asked == ([claimed] if claimed else [])


def test_why_an_event_waits() -> None:
    assert explain_unmatched(INVOICE) == "No organization is known yet for the customer cus_1."
    assert explain_unmatched(replace(INVOICE, charge_id="ch_1")) == explain_unmatched(INVOICE)
    assert explain_unmatched(replace(INVOICE, customer_id="")) == "No organization is known yet for its customer."
    nobody = explain_unmatched(replace(INVOICE, customer_id="", charge_id="ch_1"))
    assert nobody.startswith("It names the charge ch_1 and no customer")


def test_no_customer_stands_for_nobody() -> None:
    assert find_organization(Provider.STRIPE, "") is None


@pytest.mark.django_db
def test_what_does_not_name_its_customer_is_of_whom_it_was_of_before() -> None:
    stripe = Stripe(make_tenant())
    deliver(stripe.checkout(NOON), stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON))
    row = ProviderInvoice.objects.get()
    nameless = replace(INVOICE, external_id=row.external_id, customer_id="")
    assert find_customer_id(EVENT, nameless) == stripe.tenant.customer
    assert find_customer_id(EVENT, replace(nameless, customer_id="cus_9")) == "cus_9"
    assert find_customer_id(EVENT, replace(nameless, external_id="in_other")) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
@pytest.mark.parametrize("known", [None, "open", "paid"])
def test_of_two_events_of_one_second_the_provider_says_what_holds(known: str | None, order: tuple[int, int]) -> None:
    stripe = Stripe(make_tenant())
    at = NOON + timedelta(hours=1)
    events: list[dict[str, Any]] = [
        stripe.event("invoice.updated", stripe.invoice("1", "open"), at),
        stripe.event("invoice.updated", stripe.invoice("1", "paid"), at),
    ]
    truth = StripeTruth()
    if known is not None:
        thing = stripe.invoice("1", known)
        truth.objects[thing["id"]] = thing
    deliver(stripe.checkout(NOON))
    with read_from(Provider.STRIPE, truth):
        deliver(*(events[place] for place in order))
    assert [stored(event).status for event in events] == ["processed"] * 2
    assert truth.questions == 1
    # Without an answer the same of both holds in either order.
    assert ProviderInvoice.objects.get().status == (known or "paid")
