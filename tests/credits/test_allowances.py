"""A plan's credits come once for each subscription and start, whoever comes first (spec 05)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.amounts import MICRO
from apps.credits.jobs import grant_allowances
from apps.credits.models import AllowanceGrant, CreditAccount, CreditEntry, CreditGrant
from apps.credits.services import credit_adjust
from apps.credits.services.allowances import allowance_apply
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    End,
    Period,
    Resume,
    Suspend,
    UpdatePeriod,
    WorkspacePlace,
)
from apps.subscriptions.enums import CreditCadence, PlanInterval
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.preview import preview
from apps.subscriptions.services import PlanParams, plan_upsert
from tests.contexts import console_context, staff_context
from tests.credits.cast import assert_sound
from tests.subscriptions.cast import make_place, staff_change

pytestmark = pytest.mark.django_db


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(slug: str = "pro", whole: int = 100, **wish: Any) -> Plan:
    usual: dict[str, Any] = {"credit_cadence": CreditCadence.CALENDAR_MONTH.value}
    params = PlanParams(name=slug.title(), price_minor=4900, credit_allowance=whole * MICRO, **{**usual, **wish})
    return plan_upsert(console_context(), slug=slug, params=params)


def run_job(**values: Any) -> dict[str, int]:
    wish = {"organization_id": None, "include_demo": False, **values}
    return grant_allowances(console_context(), slot=clock.now(), **wish)


def started(offered: Plan, moment: datetime, period: Period | None = None) -> WorkspacePlace:
    place = make_place()
    with clock.as_of(moment):
        staff_change(place, Activate(PlanId(offered.pk), period))
    return place


def grants(place: WorkspacePlace) -> list[tuple[int, datetime | None]]:
    found = CreditGrant.objects.filter(account_id=place.organization_id).order_by("created_at")
    return [(grant.amount // MICRO, grant.expires_at) for grant in found]


def test_it_comes_with_the_subscription_and_with_each_month_once() -> None:
    place = started(plan(), at("2031-03-15"))
    assert grants(place) == [(100, at("2031-04-01"))]
    for day in ("2031-03-20", "2031-04-01", "2031-04-01", "2031-04-20", "2031-05-02"):
        with clock.as_of(at(day)):
            run_job()
            run_job()
    assert grants(place) == [(100, at(f"2031-0{month}-01")) for month in (4, 5, 6)]
    assert CreditAccount.objects.get(pk=place.organization_id).balance == 100 * MICRO
    assert list(AllowanceGrant.objects.order_by("starts_at").values_list("starts_at", flat=True)) == [
        at(f"2031-0{month}-01") for month in (3, 4, 5)
    ]
    assert_sound()


def test_a_renewal_grants_at_once_and_twice_the_same_does_not() -> None:
    offered = plan(credit_cadence=CreditCadence.PERIOD.value)
    place = started(offered, at("2031-03-15"), Period(at("2031-03-15"), at("2031-04-15")))
    with clock.as_of(at("2031-04-16")):
        assert run_job()["granted"] == 0
        for hours in (0, 6):
            staff_change(place, UpdatePeriod(Period(at("2031-04-15") + timedelta(hours=hours), at("2031-05-15"))))
            assert run_job()["granted"] == 0
    assert grants(place) == [(100, at("2031-04-15")), (100, at("2031-05-15"))]


def test_the_database_holds_one_a_start() -> None:
    place = started(plan(), at("2031-03-15"))
    first, other = AllowanceGrant.objects.get(), CreditGrant.objects.get()
    copy = CreditGrant.objects.create(
        account_id=other.account_id,
        grant_type="plan",
        amount=1,
        remaining=0,
        effective_at=at("2032-01-01"),
        granted_by="x",
        created_at=clock.now(),
    )
    with pytest.raises(IntegrityError, match="allowance_grant_once_a_start"), transaction.atomic():
        AllowanceGrant.objects.create(
            subscription=first.subscription,
            starts_at=first.starts_at,
            ends_at=first.ends_at,
            grant=copy,
            created_at=clock.now(),
        )
    assert len(grants(place)) == 2


def test_a_run_that_dies_leaves_nothing_and_the_next_one_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place = started(plan(), at("2031-03-15"))

    def die(**values: object) -> None:
        raise KeyboardInterrupt

    with clock.as_of(at("2031-04-02")):
        with monkeypatch.context() as patch:
            patch.setattr(AllowanceGrant.objects, "create", die)
            with pytest.raises(KeyboardInterrupt):
                run_job()
        assert len(grants(place)) == 1
        assert run_job()["granted"] == 1
    assert len(grants(place)) == 2
    assert_sound()


def test_what_ended_unused_is_carried_over_up_to_the_cap() -> None:
    place = started(plan(credit_rollover_cap=30 * MICRO), at("2031-03-15"))
    for day, used, wanted in (("2031-04-01", 90, 110), ("2031-05-01", 0, 130)):
        with clock.as_of(at(day) - timedelta(days=1)):
            if used:
                credit_adjust(
                    console_context(), account_id=place.organization_id, key="a", amount=used * MICRO, reason="used"
                )
        with clock.as_of(at(day)):
            run_job()
        assert grants(place)[-1][0] == wanted
    assert_sound()


def test_credits_may_last_longer_than_their_cadence() -> None:
    place = started(plan(credit_expires_after_days=90), at("2031-03-15"))
    assert grants(place) == [(100, at("2031-06-13"))]


def test_another_plan_counts_from_the_next_start_and_the_preview_says_so() -> None:
    place = started(plan(), at("2031-03-15"))
    bigger = plan("max", 250)
    with clock.as_of(at("2031-03-20")):
        told = preview(
            staff_context(),
            workspace_id=place.workspace_id,
            verb="change_plan",
            inputs={},
            run=lambda: staff_change(place, ChangePlan(PlanId(bigger.pk))),
        )
        assert told.consequences == (
            "Credits of the plan: 100 a calendar month until now, 250 a calendar month from 1 April 2031 on.",
        )
        staff_change(place, ChangePlan(PlanId(bigger.pk)))
        assert run_job()["granted"] == 0
    with clock.as_of(at("2031-04-02")):
        assert run_job()["granted"] == 1
    assert [amount for amount, _ in grants(place)] == [100, 250]


def test_a_suspended_workspace_gets_none_and_nothing_later_for_that_month() -> None:
    place = started(plan(), at("2031-03-15"))
    with clock.as_of(at("2031-03-20")):
        staff_change(place, Suspend())
    with clock.as_of(at("2031-04-02")):
        assert run_job()["granted"] == 0
        staff_change(place, Resume())
        assert run_job()["granted"] == 0
    with clock.as_of(at("2031-05-02")):
        assert run_job()["granted"] == 1
        staff_change(place, End())
    with clock.as_of(at("2031-06-02")):
        assert run_job() == {"subscriptions": 0, "granted": 0}


def test_a_plan_without_credits_and_a_closed_organization_give_none() -> None:
    place = started(plan_upsert(console_context(), slug="bare", params=PlanParams("Bare", 0)), at("2031-03-15"))
    subscription = WorkspaceSubscription.objects.get(workspace=place.workspace_id)
    assert not allowance_apply(console_context(), subscription=subscription)
    assert grants(place) == []
    assert not CreditEntry.objects.exists()


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"credit_allowance": None}, "credit_cadence"),
        ({"credit_cadence": ""}, "credit_cadence"),
        ({"credit_cadence": "weekly"}, "credit_cadence"),
        ({"credit_rollover_cap": 5, "credit_expires_after_days": 5}, "credit_rollover_cap"),
        ({"credit_allowance": None, "credit_cadence": "", "credit_rollover_cap": 5}, "credit_rollover_cap"),
    ],
)
def test_a_plan_says_all_of_it_or_nothing(wish: dict[str, Any], field: str) -> None:
    usual: dict[str, Any] = {"credit_allowance": MICRO, "credit_cadence": "period", "interval": PlanInterval.YEAR}
    with pytest.raises(Exception, match=r"credits|carried") as refusal:
        plan_upsert(console_context(), slug="odd", params=PlanParams("Odd", 0, **{**usual, **wish}))
    assert [error.field for error in refusal.value.errors] == [field]  # type: ignore[attr-defined]
    assert not Plan.objects.filter(slug="odd").exists()
