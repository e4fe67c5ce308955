"""The revenue of a day, written down once, and its movement over many days (spec 07, Revenue)."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.payments.models import ProviderSubscription
from apps.payments.pricing import Pricing, pricing_values
from apps.reporting.models import OrganizationRevenue, RevenueDay, RevenueTotal
from apps.reporting.rules.revenue import Movement
from apps.reporting.selectors.revenue import present_revenue
from apps.reporting.services import revenue_write
from apps.subscriptions.models import OrganizationPaymentConfig, Plan, WorkspaceSubscription
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_workspace
from tests.reporting.lives import at
from tests.reporting.test_count_revenue import BEFORE, LATER, NOW, line, off
from tests.sizes import size


def sell(organization: Organization, unit: str = "1900", *, name: str = "sub_1", **values: Any) -> ProviderSubscription:
    currency = values.pop("currency", "EUR")
    pricing = pricing_values(Pricing((line(unit, currency=currency),)))
    row: ProviderSubscription = ProviderSubscription.objects.create(
        **{
            "provider": "stripe", "external_id": f"{name}_{organization.pk}", "organization": organization,
            "news_at": NOW, "status": "active", "pricing": pricing, **values,
        }
    )  # fmt: skip
    return row


def contract(organization: Organization, state: str = "active") -> WorkspaceSubscription:
    plan, _ = Plan.objects.get_or_create(
        slug="yearly", defaults={"name": "Yearly", "price_minor": 120_000, "currency": "EUR", "interval": "year"}
    )
    ends = {"trial_ends_at": LATER} if state == "trialing" else {}
    workspace = make_workspace(organization)
    record = WorkspaceSubscription.objects.create(
        workspace=workspace, plan=plan, state="trialing" if ends else "active", started_at=BEFORE, **ends
    )
    if record.state != state:
        record.state = state
        record.save()
    return record


@pytest.mark.django_db
def test_what_counts_and_what_does_not() -> None:
    organization = make_organization()
    sell(organization)
    sell(organization, "100", name="late", status="past_due")
    for status in ("trialing", "paused", "incomplete", "ended"):
        sell(organization, name=status, status=status)
    sell(organization, name="held", pause_behavior="void")
    contract(organization)
    contract(organization, "past_due")
    contract(organization, "trialing")
    contract(organization, "suspended")
    both = contract(organization)
    sell(organization, "7", name="both", workspace_id=both.workspace_id)
    found = present_revenue([organization.pk], NOW)
    assert found.mrr == {(organization.pk, "EUR"): 1900 + 100 + 2 * 10_000 + 7}
    sell(organization, name="untold", pricing=None)
    (gap,) = present_revenue([organization.pk], NOW).gaps
    assert gap.record == f"stripe:untold_{organization.pk}"


@pytest.mark.django_db
def test_demos_and_cutover_checks_are_in_no_figure_and_those_in_grace_are_at_risk() -> None:
    customer, demo, synthetic = make_organization(), make_organization(is_demo=True), make_organization()
    Organization.objects.filter(pk=synthetic.pk).update(is_synthetic=True)
    for organization in (customer, demo, synthetic):
        sell(organization)
    OrganizationPaymentConfig.objects.filter(organization=customer).update(payment_status="okay")
    OrganizationPaymentConfig.objects.filter(organization=customer).update(
        payment_status="grace_period", grace_period_end_at=LATER
    )
    with at(NOW):
        assert revenue_write(console_context()) == date(2026, 5, 3)
        assert revenue_write(console_context()) is None
    (total,) = RevenueTotal.objects.all()
    assert (total.mrr_minor, total.new_minor, total.at_risk_minor, total.organizations) == (1900, 1900, 1900, 1)


@pytest.mark.django_db
def test_another_currency_is_churn_and_new_and_the_database_holds_the_sum() -> None:
    organization = make_organization()
    row = sell(organization)
    with at(NOW):
        revenue_write(console_context())
    row.pricing = pricing_values(Pricing((line("2100", currency="USD"),)))
    row.save()
    with at(LATER):
        revenue_write(console_context())
    moved = OrganizationRevenue.objects.filter(day=LATER.date() - timedelta(days=1))
    assert {(one.currency, one.movement) for one in moved} == {("EUR", "churn"), ("USD", "new")}
    with pytest.raises(IntegrityError), transaction.atomic():
        RevenueTotal.objects.filter(currency="USD", day=LATER.date() - timedelta(days=1)).update(mrr_minor=1)


DAYS = size(small=40, full=400)


@pytest.mark.prove("P10 the movement adds up to the difference of revenue, random lives", size=DAYS)
@pytest.mark.django_db
def test_random_lives_add_up_day_by_day() -> None:
    """The second computation keeps whole histories in dictionaries, and asks them for each day's words."""
    chance = random.Random(7)  # noqa: S311 - a sample, not a secret
    organizations = [make_organization(f"Customer {number}") for number in range(8)]
    histories: dict[tuple[Any, str], list[int]] = defaultdict(list)
    day = NOW
    for earlier in range(DAYS):
        day += timedelta(days=chance.choice((1, 1, 1, 1, 3)))
        for organization in chance.sample(organizations, chance.randrange(4)):
            change(organization, chance)
        with at(day):
            assert revenue_write(console_context()) == day.date() - timedelta(days=1)
        present = second_computation()
        for key in {*present, *histories}:
            histories[key] += [0] * (earlier - len(histories[key])) + [present.get(key, 0)]
        agree(histories, RevenueDay.objects.get(day=day.date() - timedelta(days=1)))


def change(organization: Organization, chance: random.Random) -> None:
    row = ProviderSubscription.objects.filter(organization=organization).order_by("?").first()
    if row is None or chance.random() < 0.2:
        sell(organization, str(chance.randrange(1, 9_999)), name=f"sub_{chance.getrandbits(60)}")
        return
    row.status = chance.choice(("active", "active", "past_due", "ended", "paused", "trialing"))
    lines = tuple(
        line(
            str(chance.randrange(0, 99_999)), currency=row.pricing["lines"][0]["currency"]
            if chance.random() < 0.8 else chance.choice(("EUR", "USD", "JPY")),
            interval=chance.choice(("month", "year", "week", "day")), every=chance.randrange(1, 4),
            quantity=Decimal(chance.randrange(1, 30)),
        )
        for _ in range(chance.randrange(1, 3))
    )  # fmt: skip
    row.pricing = pricing_values(Pricing(lines, (off(chance.randrange(0, 101)),)))
    row.save()


def second_computation() -> dict[tuple[Any, str], int]:
    """Straight from the rows: each line to a day of a year of 365 days or 12 months, and rounded by hand."""
    in_a_year = {"month": 12, "year": 1, "week": 52, "day": 365}
    found: dict[tuple[Any, str], int] = {}
    for row in ProviderSubscription.objects.filter(status__in=["active", "past_due"]):
        sums: dict[str, Fraction] = {}
        for one in row.pricing["lines"]:
            a_year = Fraction(one["unit_minor"]) * Fraction(one.get("quantity", "1")) * in_a_year[one["interval"]]
            sums[one["currency"]] = sums.get(one["currency"], Fraction(0)) + a_year / one.get("every", 1)
        for currency, full in sums.items():
            left = full
            for discount in row.pricing.get("discounts", []):
                left -= left * Fraction(discount["percent"]) / 100
            minor = int(left / 12 + Fraction(1, 2))
            key = (row.organization_id, currency)
            found[key] = found.get(key, 0) + minor
    return found


def agree(histories: dict[tuple[Any, str], list[int]], day: RevenueDay) -> None:
    expected: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (_, currency), history in histories.items():
        now, before, earlier = history[-1], ([0, *history])[-2], history[:-2]
        word = (
            "expansion" if now > before > 0 else "contraction" if before > now > 0 else "churn" if before > now
            else ("reactivation" if any(earlier) else "new") if now > before else ""
        )  # fmt: skip
        expected[currency]["mrr"] += now
        expected[currency]["before"] += before
        if word:
            expected[currency][word] += now - before
    names = ("mrr", "before", *Movement.values)
    totals = {
        total.currency: {name: getattr(total, f"{name}_minor") for name in names}
        for total in RevenueTotal.objects.filter(day=day)
    }
    for currency in {*expected, *totals}:
        found = totals.get(currency, dict.fromkeys(names, 0))
        assert found == {name: expected[currency][name] for name in names}, (day, currency)
        assert found["mrr"] - found["before"] == sum(found[name] for name in Movement.values)
