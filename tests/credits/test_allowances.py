"""A plan's credits come once for each subscription and start, whoever comes first (spec 05)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import LifecycleState
from apps.credits.jobs import grant_allowances
from apps.credits.models import AllowanceGrant, CreditAccount, CreditEntry, CreditGrant
from apps.credits.rules.allowances import Terms, Window, carried_over, is_granted, start_in, window_at
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
BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
STATES = LifecycleState


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(first: str, last: str) -> Window:
    return Window(at(first), at(last))


def terms(
    cadence: CreditCadence, started: str, period: Window | None = None, zone: Any = UTC_ZONE, months: int = 1
) -> Terms:
    return Terms(cadence, months, at(started), period, zone)


YEAR = window("2026-01-31T10:00", "2027-01-31T10:00")


@pytest.mark.parametrize(
    ("asked", "now", "wanted"),
    [
        # The calendar month is the organization's.
        (terms(CreditCadence.CALENDAR_MONTH, "2026-01-15"), "2026-04-03", window("2026-04-01", "2026-05-01")),
        (
            terms(CreditCadence.CALENDAR_MONTH, "2026-01-15", zone=BERLIN),
            "2026-03-31T22:30",
            window("2026-03-31T22:00", "2026-04-30T22:00"),
        ),
        (
            terms(CreditCadence.CALENDAR_MONTH, "2026-01-15", zone=BERLIN),
            "2026-03-15",
            window("2026-02-28T23:00", "2026-03-31T22:00"),
        ),
        (terms(CreditCadence.CALENDAR_MONTH, "2026-05-01"), "2026-04-30", None),
        # The billing period is the provider's; between two of them the renewal is waited for.
        (terms(CreditCadence.PERIOD, "2026-01-31T10:00", YEAR, months=12), "2026-06-01", YEAR),
        (terms(CreditCadence.PERIOD, "2026-01-31T10:00", YEAR, months=12), "2027-01-31T10:00", None),
        # Where none is told, it is counted from the start by the plan's interval.
        (terms(CreditCadence.PERIOD, "2026-01-15"), "2026-04-03", window("2026-03-15", "2026-04-15")),
        (terms(CreditCadence.PERIOD, "2024-02-29", months=12), "2026-02-28", window("2026-02-28", "2027-02-28")),
        (terms(CreditCadence.PERIOD, "2024-02-29", months=12), "2028-03-01", window("2028-02-29", "2029-02-28")),
        (terms(CreditCadence.PERIOD, "2026-05-01"), "2026-04-30", None),
        # A yearly plan by the month: from its anchor day, the last day where a month is shorter.
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-01-31T10:00",
         window("2026-01-31T10:00", "2026-02-28T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-02-28T09:59",
         window("2026-01-31T10:00", "2026-02-28T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-02-28T10:00",
         window("2026-02-28T10:00", "2026-03-31T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-04-30T10:00",
         window("2026-04-30T10:00", "2026-05-31T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2027-02-03", None),
        # By the zone's clock, also across the change to summer time.
        (terms(CreditCadence.MONTH, "2026-03-10T23:00", zone=BERLIN), "2026-04-11",
         window("2026-04-10T22:00", "2026-05-10T22:00")),
    ],
)  # fmt: skip
def test_the_window_of_a_moment(asked: Terms, now: str, wanted: Window | None) -> None:
    assert window_at(asked, at(now)) == wanted


MONTHLY = terms(CreditCadence.CALENDAR_MONTH, "2026-01-01")
BILLED = terms(CreditCadence.PERIOD, "2026-01-01", YEAR)


@pytest.mark.parametrize(
    ("asked", "found", "last", "start"),
    [
        (MONTHLY, window("2026-04-01", "2026-05-01"), None, "2026-04-01"),
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-03-01", "2026-04-01"), "2026-04-01"),
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-04-01", "2026-05-01"), None),
        # The zone moved to the west, to the east: the next boundary moves, no month comes twice or is left out.
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-03-31T22:00", "2026-04-30T22:00"), None),
        (MONTHLY, window("2026-05-01", "2026-06-01"), window("2026-03-31T22:00", "2026-04-30T22:00"), "2026-05-01"),
        (
            MONTHLY,
            window("2026-04-30T22:00", "2026-05-31T22:00"),
            window("2026-04-01", "2026-05-01"),
            "2026-05-01",
        ),
        # A renewal that comes early is another period, a corrected date is not.
        (BILLED, window("2026-04-01", "2026-05-01"), window("2026-03-01", "2026-04-01"), "2026-04-01"),
        (BILLED, window("2026-04-10", "2026-05-10"), window("2026-04-01", "2026-05-01"), "2026-04-10"),
        (BILLED, window("2026-04-01T06:00", "2026-05-01"), window("2026-04-01", "2026-05-01"), None),
    ],
)
def test_a_window_counts_once(asked: Terms, found: Window, last: Window | None, start: str | None) -> None:
    assert start_in(asked, found, last) == (at(start) if start else None)


@pytest.mark.parametrize("now", STATES)
@pytest.mark.parametrize("at_start", STATES)
def test_who_pays_late_gets_it_then_and_who_was_suspended_does_not(at_start: STATES, now: STATES) -> None:
    wanted = now in {STATES.TRIAL, STATES.ACTIVE} and at_start not in {STATES.SUSPENDED_READ_ONLY, STATES.CLOSED}
    assert is_granted(at_start, now) is wanted


@pytest.mark.parametrize(("unused", "cap", "over"), [(0, 5, 0), (3, 5, 3), (9, 5, 5), (9, None, 0)])
def test_what_is_carried_over(unused: int, cap: int | None, over: int) -> None:
    assert carried_over(unused, cap) == over


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
