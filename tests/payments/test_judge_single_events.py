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
from apps.payments.mirror import MirrorResult
from apps.payments.models import ProviderCustomer, ProviderInvoice
from apps.payments.processing import (
    ProcessingResult,
    explain_unmatched,
    find_customer_id,
    find_organization,
    match_organization,
    process,
    settle_customer,
)
from apps.payments.providers.contract import read_from
from apps.subscriptions.enums import PaymentStatus, Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from tests.contexts import console_context
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant, stored
from tests.payments.lives import StripeTruth
from tests.payments.test_bind_customers import second_checkout
from tests.payments.test_settle_workspaces import in_orb
from tests.subscriptions.cast import make_plan, provider_context

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


KINDS = [
    *((kind, firsts) for kind in ObjectKind for firsts in ((), ("failed_at",))),
    (ObjectKind.CUSTOMER, ("method_named_at",)),
    (ObjectKind.REFUND, ("method_named_at",)),
    (ObjectKind.INVOICE, ("uncollectible_at",)),
]


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("is_newest", [False, True])
def test_which_news_settle_which_statuses(
    status: PaymentStatus, is_newest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While staff decide, only what the mirror did not know is evidence, and a way to pay is none."""
    told = set[str]()
    for name in ("set_paused_aside", "sync_payment_status", "sync_subscription_status"):
        monkeypatch.setattr(processing, name, lambda *_, name=name: told.add(name))
    config = OrganizationPaymentConfig(organization_id=OURS, payment_status=status.value)
    result = MirrorResult(ProviderInvoice(), is_newest=is_newest, is_tied=False)
    for kind, firsts in KINDS:
        told.clear()
        snapshot = ObjectSnapshot(kind, "x_1", "cus_1", firsts=dict.fromkeys(firsts, NOON))
        processing._sync_statuses(console_context(), config, EVENT, snapshot, result)
        by_staff, names_method = status.value == "manual", "method_named_at" in firsts
        is_money = kind.value in {"invoice", "customer"} and (is_newest or not by_staff)
        is_way_to_pay = (kind is ObjectKind.PAYMENT_METHOD or names_method) and not by_staff
        wanted = {
            "set_paused_aside": kind is ObjectKind.SUBSCRIPTION or "uncollectible_at" in firsts,
            "sync_payment_status": is_money or is_way_to_pay,
            "sync_subscription_status": kind is ObjectKind.SUBSCRIPTION,
        }
        assert told == {name for name, is_due in wanted.items() if is_due}, (kind, firsts)


def test_a_provider_without_a_field_of_the_config_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "CUSTOMER_FIELDS", {})
    config = OrganizationPaymentConfig(organization_id=OURS)
    assert settle_customer(console_context(), config, Provider.STRIPE, "cus_1") is config


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


def know_customer(tenant: Tenant, name: str, **values: str) -> None:
    ProviderCustomer.objects.create(
        provider="stripe",
        external_id=name,
        customer_external_id=name,
        organization=tenant.organization,
        news_at=NOON,
        **values,
    )


@pytest.mark.django_db
def test_a_customer_stands_for_whom_the_config_or_the_mirror_names() -> None:
    bound, mirrored = make_tenant(), make_tenant()
    OrganizationPaymentConfig.objects.filter(organization=bound.organization).update(payment_provider_id="cus_a")
    know_customer(mirrored, "cus_b")
    assert find_organization(Provider.STRIPE, "cus_a") == bound.organization_id
    assert find_organization(Provider.STRIPE, "cus_b") == mirrored.organization_id
    assert find_organization(Provider.ORB, "cus_a") is find_organization(Provider.ORB, "cus_b") is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("known", "made", "bound"),
    [
        ({}, "", None),
        ({}, "cus_made", "cus_made"),
        ({"cus_made": "deleted"}, "cus_made", None),
        ({"cus_made": "deleted", "cus_b": "active", "cus_c": "active"}, "cus_made", "cus_b"),
        ({"cus_b": "active"}, "cus_made", "cus_made"),
        ({"cus_b": "deleted", "cus_c": "active"}, "", "cus_c"),
    ],
)
def test_a_config_without_a_customer_gets_the_one_that_was_made_or_one_that_lives(
    known: dict[str, str], made: str, bound: str | None
) -> None:
    tenant = make_tenant()
    for name, status in known.items():
        know_customer(tenant, name, status=status)
    config = settle_customer(provider_context(), tenant.config, Provider.STRIPE, made)
    assert config.payment_provider_id == tenant.config.payment_provider_id == bound


@pytest.mark.django_db
def test_what_names_a_customer_binds_it_and_what_changes_is_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the events: whose customer is settled, which object is tracked, and which change of it."""
    told, make = list[str](), processing.settle_customer
    stripe = Stripe(make_tenant())
    make_plan()
    deliver(stripe.checkout(NOON))

    def settle(*given: Any) -> Any:
        told.append("settled")
        return make(*given)

    monkeypatch.setattr(processing, "settle_customer", settle)
    monkeypatch.setattr(processing, "track_event", lambda *given: told.append(f"tracked {given[2].kind.value}"))
    monkeypatch.setattr(processing, "track_subscription_change", lambda *given: told.append(given[2].plan_key))
    for kind, thing, wanted in (
        ("customer.updated", stripe.customer(metadata={}), ["settled", "tracked customer"]),
        ("customer.updated", stripe.customer(), ["settled", "tracked customer"]),
        ("invoice.paid", stripe.invoice("1", "paid"), ["tracked invoice"]),
        ("customer.subscription.created", stripe.subscription("active"), ["tracked subscription"]),
        ("customer.subscription.updated", stripe.subscription("active"), ["tracked subscription", "team"]),
    ):
        told.clear()
        deliver(stripe.event(kind, thing, NOON + timedelta(hours=stripe.count)))
        assert told == wanted, kind
    told.clear()
    deliver(second_checkout(stripe, "cus_other", 1))
    assert told == ["settled", "tracked customer"]
    # At Orb every object names whose it is.
    told.clear()
    deliver(in_orb(stripe.tenant, "osub", "started", 3, start=3), provider="orb")
    assert told == ["settled", "tracked subscription"]


@pytest.mark.django_db
def test_nothing_is_decided_for_an_organization_without_a_config() -> None:
    with pytest.raises(RuntimeError, match="has no payment config"):
        processing._lock_config(OURS)


@pytest.mark.django_db
def test_where_nobody_can_be_asked_no_question_is_counted() -> None:
    stripe = Stripe(make_tenant())
    events = [stripe.event("invoice.updated", stripe.invoice("1", status), NOON) for status in ("open", "paid")]
    deliver(stripe.checkout(NOON), *events)
    row = ProviderInvoice.objects.get()
    assert (row.status, row.asked_ticket) == ("paid", 0)


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
