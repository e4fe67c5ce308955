"""What the mirror says of payments, subscriptions and connectors: every combination, against spec 04 said again."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

from apps.connectors.enums import AutoDisableReason
from apps.payments.enums import InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.rules.following import subscription_statuses, subscription_steps, workspace_state
from apps.payments.rules.statuses import (
    InvoiceFacts,
    PaymentFacts,
    causes_of_payment,
    causes_of_subscription,
    keeps_anchor,
    payment_facts,
    standing_of,
    steps_towards,
)
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.rules.payment_transitions import SUBSCRIPTION_STATUS_MAY_BECOME, grace_length
from tests.payments.cast import NOON

EARLY, LATE = NOON, NOON + timedelta(days=1)
Steps = tuple[str, ...]


def expected_steps(claim: PaymentFacts, status: str, anchor: datetime | None) -> Steps:
    """The table of spec 04; `anchor` None: staff began the grace period, and no invoice ends it."""
    if claim.given_up and status != "locked":
        return ("lock",)
    if status == "locked" or (status in {"grace_period", "disabled"} and anchor is None):
        return ()
    if claim.unpaid_since is None:
        due = {"grace_period", "disabled"}
        may = due | ({"uninitialized", "manual"} if claim.is_good else set())
        return ("mark_okay",) if status in may else ()
    is_newer, is_other = claim.unpaid_since > (anchor or EARLY), claim.unpaid_since != anchor
    return {
        "grace_period": ("reanchor_grace",) if is_other else (),
        "disabled": ("mark_okay", "start_grace") if is_newer else (),
    }.get(status, ("start_grace",))


def test_every_claim_at_every_status_asks_for_the_steps_of_spec_04() -> None:
    dates = (None, EARLY, LATE)
    for status, given_up, since, is_good, anchor in itertools.product(
        PaymentStatus, ((), ("in_1",)), dates, (False, True), dates
    ):
        claim = PaymentFacts(given_up, "in_2" if since else "", since, is_good=is_good)
        found = tuple(step.value for step in steps_towards(claim, status, anchor))
        assert found == expected_steps(claim, status.value, anchor), (status, claim, anchor)


# Status, whether its payment failed, whether it was given up, whether that is settled: overdue, given up, good.
INVOICES: list[tuple[str, bool, bool, bool, tuple[bool, bool, bool]]] = [
    ("open", False, False, False, (False, False, False)),
    ("open", True, False, False, (True, False, False)),
    ("draft", True, False, False, (False, False, False)),
    ("paid", False, False, False, (False, False, True)),
    ("paid", True, False, False, (False, False, True)),
    ("void", False, False, False, (False, False, False)),
    ("void", True, False, False, (False, False, True)),
    ("uncollectible", True, True, False, (False, True, False)),
    ("uncollectible", True, True, True, (False, False, False)),
    ("open", True, True, False, (True, True, False)),
    ("paid", True, True, False, (False, True, True)),
]


@pytest.mark.parametrize(("status", "failed", "given_up", "is_settled", "says"), INVOICES)
def test_what_one_invoice_says(
    status: str, failed: bool, given_up: bool, is_settled: bool, says: tuple[bool, bool, bool]
) -> None:
    invoice = InvoiceFacts(
        "in_1",
        InvoiceStatus(status),
        EARLY if failed else None,
        LATE if given_up else None,
        is_settled,
        paid_minor=4900 if status == "paid" else 0,
    )
    assert (invoice.unpaid_since(LATE) is not None, invoice.is_given_up, invoice.is_good) == says
    claim = payment_facts([invoice], has_completed_checkout=False, now=LATE)
    assert (claim.unpaid_since is not None, bool(claim.given_up), claim.is_good) == says


def test_the_earliest_unpaid_invoice_counts_and_the_order_does_not() -> None:
    invoices = [
        InvoiceFacts("in_3", InvoiceStatus.OPEN, LATE),
        InvoiceFacts("in_2", InvoiceStatus.OPEN, EARLY),
        InvoiceFacts("in_1", InvoiceStatus.OPEN, LATE),
        InvoiceFacts("in_0", InvoiceStatus.PAID, EARLY - timedelta(days=9), paid_minor=1),
        InvoiceFacts("in_5", InvoiceStatus.UNCOLLECTIBLE, EARLY, LATE),
        InvoiceFacts("in_4", InvoiceStatus.UNCOLLECTIBLE, EARLY, LATE),
    ]
    claims = {
        payment_facts(order, has_completed_checkout=False, now=LATE) for order in itertools.permutations(invoices)
    }
    assert claims == {PaymentFacts(("in_4", "in_5"), "in_2", EARLY, is_good=True)}


# What is an invoice's worth beside the usual: unpaid since, good, paid late.
MONEY: list[tuple[InvoiceFacts, tuple[datetime | None, bool, bool]]] = [
    # A trial's first invoice, and a credit: no money was paid.
    (InvoiceFacts("in_1", InvoiceStatus.PAID), (None, False, False)),
    (InvoiceFacts("in_1", InvoiceStatus.PAID, paid_minor=-2500), (None, False, False)),
    # The least money is money.
    (InvoiceFacts("in_1", InvoiceStatus.PAID, paid_minor=1), (None, True, False)),
    # A first payment that was abandoned, and then voided.
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, EARLY, creates_subscription=True), (None, False, False)),
    (InvoiceFacts("in_1", InvoiceStatus.VOID, EARLY, creates_subscription=True), (None, False, False)),
    # One that was sent: from its due date on, also the first of a subscription, which runs already.
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, due_at=LATE), (LATE, False, False)),
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, due_at=LATE + timedelta(seconds=1)), (None, False, False)),
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, due_at=EARLY, creates_subscription=True), (EARLY, False, False)),
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, LATE, due_at=EARLY), (EARLY, False, False)),
    # Forgiven by staff.
    (InvoiceFacts("in_1", InvoiceStatus.OPEN, EARLY, is_forgiven=True), (None, False, False)),
    # Paid after it had been given up.
    (InvoiceFacts("in_1", InvoiceStatus.PAID, EARLY, EARLY, is_lock_settled=True, paid_minor=1), (None, True, True)),
]


@pytest.mark.parametrize(("invoice", "says"), MONEY)
def test_money_is_what_was_paid_and_what_is_due(
    invoice: InvoiceFacts, says: tuple[datetime | None, bool, bool]
) -> None:
    assert (invoice.unpaid_since(LATE), invoice.is_good, invoice.is_paid_late) == says


@pytest.mark.parametrize("status", InvoiceStatus)
def test_what_staff_forgave_neither_locks_nor_is_unpaid(status: InvoiceStatus) -> None:
    invoice = InvoiceFacts("in_1", status, EARLY, EARLY, due_at=EARLY, is_forgiven=True)
    claim = payment_facts([invoice], has_completed_checkout=False, now=LATE)
    assert (invoice.is_given_up, claim.given_up, claim.unpaid_since) == (False, (), None)


def test_what_staff_hand_back_to() -> None:
    good, bad = PaymentFacts(is_good=True), PaymentFacts()
    assert standing_of(good, ends_at=None, now=LATE) is PaymentStatus.OKAY
    assert standing_of(bad, ends_at=None, now=LATE) is PaymentStatus.UNINITIALIZED
    assert standing_of(good, ends_at=LATE, now=EARLY) is PaymentStatus.GRACE_PERIOD
    assert standing_of(good, ends_at=LATE, now=LATE) is PaymentStatus.DISABLED


def test_nothing_is_claimed_without_an_invoice_but_a_checkout_is_good() -> None:
    assert payment_facts([], has_completed_checkout=False, now=LATE) == PaymentFacts()
    assert payment_facts([], has_completed_checkout=True, now=LATE) == PaymentFacts(is_good=True)


def test_the_mirrored_subscriptions_tell_what_the_organization_has_been() -> None:
    for size in range(7):
        for mirrored in itertools.combinations(ProviderSubscriptionStatus, size):
            begun = {status.value for status in mirrored} - {"incomplete"}
            runs = begun - {"ended"}
            wanted = ("subscribed",) if runs else ("subscribed", "unsubscribed") if begun else ()
            assert tuple(status.value for status in subscription_statuses(mirrored)) == wanted, mirrored


STATES = {
    "incomplete": None,
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "paused": "suspended",
    "ended": "ended",
}


def test_each_mirrored_status_has_its_state() -> None:
    assert {status.value: workspace_state(status) for status in ProviderSubscriptionStatus} == STATES


@pytest.mark.parametrize(
    ("claimed", "current", "wanted"),
    [
        ("", "pre_subscription", ""),
        ("", "subscribed", ""),
        ("subscribed", "pre_subscription", "subscribed"),
        ("subscribed", "subscribed", ""),
        ("subscribed", "unsubscribed", "subscribed"),
        ("subscribed unsubscribed", "pre_subscription", "subscribed unsubscribed"),
        ("subscribed unsubscribed", "subscribed", "unsubscribed"),
        ("subscribed unsubscribed", "unsubscribed", ""),
    ],
)
def test_the_steps_to_a_subscription_status_are_allowed_ones(claimed: str, current: str, wanted: str) -> None:
    claims = tuple(SubscriptionStatus(name) for name in claimed.split())
    steps = subscription_steps(claims, SubscriptionStatus(current))
    assert [step.value for step in steps] == wanted.split()
    for before, after in itertools.pairwise([SubscriptionStatus(current), *steps]):
        assert after in SUBSCRIPTION_STATUS_MAY_BECOME[before]


def test_each_status_brings_and_takes_its_causes() -> None:
    in_order = {"invalid_payment_method": False, "invoice_marked_uncollectible": False}
    wanted = {
        "uninitialized": in_order,
        "okay": in_order,
        "grace_period": in_order,
        "disabled": {"invalid_payment_method": True, "invoice_marked_uncollectible": False},
        "locked": {"invoice_marked_uncollectible": True},
        "manual": {},
    }
    found = {
        status.value: {change.reason.value: change.is_arrival for change in causes_of_payment(status)}
        for status in PaymentStatus
    }
    assert found == wanted
    assert {
        status.value: [(change.reason, change.is_arrival) for change in causes_of_subscription(status)]
        for status in SubscriptionStatus
    } == {
        "pre_subscription": [],
        "subscribed": [(AutoDisableReason.UNSUBSCRIBED, False)],
        "unsubscribed": [(AutoDisableReason.UNSUBSCRIBED, True)],
    }
    assert {status.value for status in PaymentStatus if keeps_anchor(status)} == {"grace_period", "disabled"}


@pytest.mark.parametrize(("days", "wanted"), [(None, 14), (1, 1), (30, 30)])
def test_a_grace_period_lasts_14_days_unless_told_otherwise(days: int | None, wanted: int) -> None:
    assert grace_length(days) == timedelta(days=wanted)
