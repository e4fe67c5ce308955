"""Paid but blocked, and unpaid but allowed: every kind, planted by SQL and named (spec 07, Books)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from apps.core.enums import LifecycleNeed, LifecycleState
from apps.core.ids import OrganizationId, WorkspaceId
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models import ProviderInvoice, ProviderSubscription
from apps.reporting.models import PaymentContradiction
from apps.reporting.rules.standing import LateInvoice, Payment, SoldSubscription, contradiction_of
from apps.reporting.selectors.standing import contradictions_of, counted_workspaces, find_contradictions
from apps.reporting.services import contradictions_refresh
from apps.subscriptions.enums import LifecycleSource
from apps.subscriptions.models import OrganizationPaymentConfig, Plan, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import ALLOWED, Allowance, LifecycleDecision, RuleOutcome, RuleStep
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_workspace
from tests.payments.cast import NOON, SECRETS, Stripe, Tenant, deliver, make_tenant
from tests.reporting.lives import at
from tests.reporting.test_balance_books import by_hand

LATER = NOON + timedelta(hours=1)


def decision(state: LifecycleState, *, review: tuple[str, ...] = ()) -> LifecycleDecision:
    step = RuleStep("made_up", LifecycleSource.SUBSCRIPTION, RuleOutcome.DECIDES, "the gate says so", "made:1", state)
    workspace_id = WorkspaceId(make_up())
    return LifecycleDecision(workspace_id, state, LifecycleSource.SUBSCRIPTION, (step,), review)


def make_up() -> UUID:
    return UUID(int=1)


def expected(state: LifecycleState, payment: Payment, review: tuple[str, ...]) -> str:
    """The two lists, said again: a table of what is paid against what the gate gives."""
    gives = ALLOWED[state][LifecycleNeed.CONSUME]
    worst = [invoice for invoice in payment.late if invoice.is_given_up or invoice.is_past_grace]
    says = payment.sold.status.value if payment.sold else "nothing"
    if payment.sold and payment.sold.is_collection_paused and says != "ended":
        says = "paused"
    by_contract = payment.is_sold_by_staff and says in {"nothing", "ended"}
    if gives in {Allowance.NO, Allowance.FROM_GRANTS_ONLY, Allowance.OWNER_ONLY}:
        return "paid but blocked" if says == "active" and not worst else ""
    if worst or (payment.late and gives is Allowance.YES):
        return "unpaid but allowed"
    if by_contract:
        return "unpaid but allowed" if review else ""
    if says in {"nothing", "ended", "paused"} or (says == "past_due" and gives is Allowance.YES):
        return "unpaid but allowed"
    return ""


def test_every_payment_at_every_decision() -> None:
    late = LateInvoice("stripe:in_1", "Invoice A-1 is not paid")
    assert (late.is_given_up, late.is_past_grace, Payment().is_sold_by_staff) == (False, False, False)
    invoices: list[tuple[LateInvoice, ...]] = [
        (),
        (late,),
        (LateInvoice("stripe:in_1", "Invoice A-1 is not paid", is_given_up=True),),
        (late, LateInvoice("stripe:in_2", "Invoice A-2 is not paid", is_past_grace=True)),
    ]
    statuses = [status for status in ProviderSubscriptionStatus if status.value != "incomplete"]
    sold = [None, *(SoldSubscription("stripe:sub_1", *pair) for pair in itertools.product(statuses, (False, True)))]
    reviews: list[tuple[str, ...]] = [(), ("the trial ended on 1 April 2026",)]
    count = 0
    for state, one, owed, by_staff, review in itertools.product(LifecycleState, sold, invoices, (False, True), reviews):
        payment = Payment(one, owed, is_sold_by_staff=by_staff)
        found = contradiction_of(decision(state, review=review), payment)
        word = "" if found is None else "paid but blocked" if found.is_paid else "unpaid but allowed"
        assert word == expected(state, payment, review), (state, payment, review)
        assert found is None or (found.reason.endswith("but the gate says so.") and "made:1" in found.records)
        count += 1
    assert count == len(LifecycleState) * len(sold) * 16


@pytest.mark.parametrize("status", ProviderSubscriptionStatus)
def test_what_the_provider_says_in_words(status: ProviderSubscriptionStatus) -> None:
    said = f"stripe:sub_1 is {status.label.lower()}"
    assert SoldSubscription("stripe:sub_1", status).words == said
    assert SoldSubscription("stripe:sub_1", status, is_collection_paused=True).words == (
        f"{said}, and collection is paused"
    )


@pytest.fixture
def customer(settings: Settings) -> Tenant:
    """One whose subscription runs and is paid."""
    settings.WEBHOOK_SECRETS = SECRETS
    Plan.objects.create(slug="team", name="Team", price_minor=4900, currency="EUR", interval="month")
    tenant = make_tenant()
    stripe = Stripe(tenant)
    with at(NOON):
        deliver(
            stripe.event("customer.created", stripe.customer(), NOON),
            stripe.checkout(NOON),
            stripe.event("customer.subscription.created", stripe.subscription("active"), NOON),
            stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON),
        )
    return tenant


def disable(tenant: Tenant) -> None:
    OrganizationPaymentConfig.objects.filter(organization=tenant.organization).update(payment_status="disabled")


def suspend(tenant: Tenant) -> None:
    WorkspaceSubscription.objects.filter(workspace=tenant.workspace).update(state="suspended")


def close(tenant: Tenant) -> None:
    Organization.objects.filter(pk=tenant.organization.pk).update(closed_at=NOON)


def end_at_provider(tenant: Tenant) -> None:
    ProviderSubscription.objects.filter(organization=tenant.organization).update(status="ended", ended_at=LATER)


def pause_collection(tenant: Tenant) -> None:
    ProviderSubscription.objects.filter(organization=tenant.organization).update(pause_behavior="void")


def lose_the_subscription(tenant: Tenant) -> None:
    ProviderSubscription.objects.filter(organization=tenant.organization).delete()


def fail_an_invoice(tenant: Tenant) -> None:
    ProviderInvoice.objects.filter(organization=tenant.organization).update(status="open", failed_at=NOON)


def give_an_invoice_up(tenant: Tenant) -> None:
    ProviderInvoice.objects.filter(organization=tenant.organization).update(status="uncollectible", failed_at=NOON)


PLANTED: list[tuple[Callable[[Tenant], None], str, str]] = [
    (disable, "paid_but_blocked", "the payment status is disabled"),
    (suspend, "paid_but_blocked", "the subscription record is suspended"),
    (close, "paid_but_blocked", "the organization was closed"),
    (end_at_provider, "unpaid_but_allowed", "is ended, but the subscription record is active"),
    (pause_collection, "unpaid_but_allowed", "collection is paused"),
    (lose_the_subscription, "unpaid_but_allowed", "No subscription runs at a provider"),
    (fail_an_invoice, "unpaid_but_allowed", "is not paid, but the subscription record is active"),
    (give_an_invoice_up, "unpaid_but_allowed", "given up"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("plant", "kind", "words"), PLANTED, ids=[row[0].__name__ for row in PLANTED])
def test_what_is_planted_by_sql_is_named(
    customer: Tenant, plant: Callable[[Tenant], None], kind: str, words: str
) -> None:
    assert contradictions_of(customer.organization_id) == []
    with by_hand():
        plant(customer)
    with at(NOON + timedelta(days=1)):
        contradictions_refresh(console_context())
        (row,) = PaymentContradiction.objects.all()
        assert (row.kind, row.workspace_id) == (kind, customer.workspace.pk)
        assert words in row.reason
        assert any(str(customer.organization.pk) in record or ":" in record for record in row.records)
    # It stays while it lasts, with the moment when it was first seen, and goes when it is mended.
    with at(NOON + timedelta(days=2)):
        contradictions_refresh(console_context())
        again = PaymentContradiction.objects.get()
        assert (again.first_seen_at, again.seen_at) == (row.first_seen_at, NOON + timedelta(days=2))
    with at(NOON + timedelta(days=3)):
        Organization.objects.filter(pk=customer.organization.pk).update(is_synthetic=True)
        contradictions_refresh(console_context())
        assert not PaymentContradiction.objects.exists()


@pytest.mark.django_db
def test_what_an_honest_provider_says_contradicts_nothing(customer: Tenant) -> None:
    """A payment fails, its grace period runs and ends, and the money comes: never on a list."""
    stripe = Stripe(customer, prefix="late")
    failed, ended = NOON + timedelta(days=1), NOON + timedelta(days=20)
    with at(failed):
        deliver(stripe.event("invoice.payment_failed", stripe.invoice("2", "open"), failed))
        assert customer.status == "grace_period"
        assert contradictions_of(customer.organization_id) == []
    with at(ended):
        (found,) = contradictions_of(customer.organization_id)
        assert "is not paid" in found.contradiction.reason  # the job that ends grace periods has not run
        with by_hand():
            OrganizationPaymentConfig.objects.filter(organization=customer.organization).update(
                payment_status="disabled", grace_period_end_at=None
            )
        assert contradictions_of(customer.organization_id) == []
    with at(ended + timedelta(days=1)):
        deliver(stripe.event("invoice.paid", stripe.invoice("2", "paid"), ended + timedelta(days=1)))
        assert customer.status == "okay"
        assert contradictions_of(customer.organization_id) == []


@pytest.mark.django_db
def test_staff_sell_by_contract_and_overlays_are_said(customer: Tenant) -> None:
    other = make_organization("By contract")
    sold, given = make_workspace(other), make_workspace(other)
    plan = Plan.objects.get(slug="team")
    WorkspaceSubscription.objects.create(workspace=sold, plan=plan, state="active", started_at=NOON)
    Workspace.objects.filter(pk=given.pk).update(manual_lifecycle_state="active", manual_lifecycle_reason="A pilot")
    (found,) = contradictions_of(other.pk)
    assert found.workspace_id == given.pk
    assert "A pilot" in found.contradiction.reason


@pytest.mark.django_db
def test_the_statements_are_as_many_whatever_the_number_of_workspaces(customer: Tenant) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            list(find_contradictions(counted_workspaces()))
        return len(captured)

    few = count()
    for _ in range(12):
        make_workspace(customer.organization)
        make_workspace(make_organization())
    assert count() == few
    assert OrganizationId(customer.organization.pk) == customer.organization_id
