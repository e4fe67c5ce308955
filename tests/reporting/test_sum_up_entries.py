"""The Credits page's sums by day and of a filter are those of the ledger, whatever part of it is rolled up already."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO, show_micro
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry
from apps.credits.selectors.entry_sums import EntryDays, entry_sums, filtered_days
from apps.credits.selectors.statement import EntryFilter, filtered_entries
from apps.credits.services import credits_consume
from apps.reporting.models import CreditRollup, RollupState
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give
from tests.credits.history import live_a_month, make_old_place
from tests.factories.tenants import make_membership, make_user, make_workspace

pytestmark = pytest.mark.django_db

Key = tuple[date, str, UUID | None, str]


@pytest.fixture
def place() -> Place:
    return make_old_place()


@pytest.fixture
def workspace(place: Place) -> Workspace:
    return make_workspace(place.organization)


@pytest.fixture
def browser(place: Place) -> Client:
    viewer = make_user()
    make_membership(place.organization, viewer)
    client = Client()
    client.force_login(viewer)
    return client


def summed(place: Place, wanted: EntryFilter, days: EntryDays) -> dict[Key, int]:
    found = entry_sums(place.organization.pk, wanted, days)
    assert found is not None
    return {(each.day, each.kind, each.product_id, each.operation): each.amount for each in found}


def counted(place: Place, wanted: EntryFilter, zone: str = "UTC") -> dict[Key, int]:
    """The same, entry by entry."""
    sums: dict[Key, int] = {}
    for entry in filtered_entries(place.organization.pk, wanted):
        day = entry.recorded_at.astimezone(ZoneInfo(zone)).date()
        key = (day, entry.kind, entry.product_id, entry.operation)
        sums[key] = sums.get(key, 0) + entry.amount
    return {key: amount for key, amount in sums.items() if amount}


def last_days(count: int) -> EntryDays:
    until = clock.now().date() + timedelta(days=1)
    return EntryDays("UTC", until - timedelta(days=count), until)


@pytest.mark.slow
def test_each_filter_comes_to_what_its_entries_do(place: Place, workspace: Workspace) -> None:
    live_a_month(place)
    rollups_refresh(console_context())
    assert CreditRollup.objects.exists()
    # What came in since is in no rollup yet.
    credits_consume(place.context, consumption=consumption(place, workspace_id=workspace.pk))
    days = last_days(60)
    filters = [
        EntryFilter(),
        *(EntryFilter(kind=kind) for kind in EntryKind),
        EntryFilter(product_id=place.product.pk),
        EntryFilter(workspace_id=workspace.pk),
        EntryFilter(without_workspace=True),
    ]
    for wanted in filters:
        assert summed(place, wanted, days) == counted(place, wanted)
    assert len(counted(place, EntryFilter(workspace_id=workspace.pk))) == 1
    without = counted(place, EntryFilter(without_workspace=True))
    assert without
    assert EntryKind.GRANT not in {kind for _, kind, *_ in without}


def test_days_far_apart_are_summed_alone(place: Place) -> None:
    live_a_month(place)
    rollups_refresh(console_context())
    whole = counted(place, EntryFilter())
    shown = sorted({key[0] for key in whole})
    ends = [shown[0], shown[-1]]
    days = EntryDays("UTC", shown[0], shown[-1] + timedelta(days=1), only=ends)
    assert len(shown) > 2
    assert summed(place, EntryFilter(), days) == {key: sum_ for key, sum_ in whole.items() if key[0] in ends}


def test_a_filter_s_days_end_today_and_are_a_year_at_most() -> None:
    def days_from(since: datetime | None, until: datetime | None = None) -> object:
        return filtered_days(EntryFilter(since=since, until=until), UTC)

    def at(year: int, month: int, day: int, hour: int = 0) -> datetime:
        return datetime(year, month, day, hour, tzinfo=UTC)

    with time_machine.travel(at(2026, 11, 30, 12), tick=False):
        assert days_from(None) is None
        assert days_from(at(2026, 11, 1)) == (at(2026, 11, 1).date(), at(2026, 12, 1).date())
        assert days_from(at(2026, 11, 1), at(2030, 1, 1)) == (at(2026, 11, 1).date(), at(2026, 12, 1).date())
        assert days_from(at(2025, 11, 30)) == (at(2025, 11, 30).date(), at(2026, 12, 1).date())
        assert days_from(at(2025, 11, 29)) is None
        assert days_from(at(2020, 1, 1), at(2020, 2, 1)) == (at(2020, 1, 1).date(), at(2020, 2, 1).date())
        assert days_from(at(2027, 1, 1)) is None


def test_the_page_shows_what_each_day_and_the_filter_come_to(
    place: Place, browser: Client, workspace: Workspace
) -> None:
    live_a_month(place)
    first = clock.now().date() - timedelta(days=10)
    address = reverse("billing-credits", args=[workspace.slug])
    facts = browser.get(address, {"since": str(first)}).context["statement"]
    wanted = EntryFilter(since=datetime(first.year, first.month, first.day, tzinfo=UTC))
    sums = counted(place, wanted)
    assert facts.total.amount.replace(",", "") == show_micro(
        sum(sums.values()), places=len(facts.total.amount.partition(".")[2])
    ).replace(",", "")
    names = [(row.name, row.note) for row in facts.total.rows]
    assert ("fix run", place.product.name) in names
    assert len(names) == len(set(names))
    usage = {EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.REVERSAL}
    told = {day.lines[0].entry.recorded_at.date(): day.sums for day in facts.days}
    spent: dict[date, int] = {}
    for (day, kind, *_), amount in sums.items():
        spent[day] = spent.get(day, 0) - amount * (kind in usage)
    assert len(set(spent.values())) > 2
    for day, amount in spent.items():
        words = f"{show_micro(abs(amount))} {'spent' if amount > 0 else 'given back'}"
        assert told[day].startswith(words) if amount else " spent" not in told[day]
    assert [line for day in facts.days for line in day.lines] == browser.get(address, {"since": str(first)}).context[
        "lines"
    ]


def test_a_day_s_sum_counts_what_stands_on_the_next_page(
    place: Place, browser: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.credits.views.PAGE_SIZE", 2)
    give(place, 100 * MICRO)
    for _ in range(3):
        credits_consume(place.context, consumption=consumption(place))
    answer = browser.get(reverse("billing-credits", args=[workspace.slug]))
    (day,) = answer.context["statement"].days
    assert (len(day.lines), day.sums) == (2, "7.5 spent · 100 granted")
    assert "7.5 spent · 100 granted" in answer.content.decode()
    assert answer.context["statement"].total is None


def test_there_are_no_sums_while_days_are_cut_anew(place: Place, browser: Client, workspace: Workspace) -> None:
    give(place, 100 * MICRO)
    rollups_refresh(console_context())
    RollupState.objects.update(zone="Asia/Tokyo")
    answer = browser.get(reverse("billing-credits", args=[workspace.slug]), {"since": str(clock.now().date())})
    statement = answer.context["statement"]
    assert [day.sums for day in statement.days] == [""]
    assert statement.total is None
    assert CreditEntry.objects.count() == len(statement.days[0].lines)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"])
def test_days_are_the_organization_s_and_no_neighbour_s_hours_are_added(
    place: Place, browser: Client, workspace: Workspace, zone: str
) -> None:
    Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
    live_a_month(place)
    rollups_refresh(console_context())
    sums = counted(place, EntryFilter(), zone)
    day = sorted({key[0] for key in sums})[5]
    found = browser.get(
        reverse("billing-credits", args=[workspace.slug]), {"since": str(day), "until": str(day)}
    ).context["statement"]
    whole = sum(amount for key, amount in sums.items() if key[0] == day)
    assert [shown.name for shown in found.days] == [f"{day.day} {day:%B %Y}"]
    assert Decimal(found.total.amount.replace(",", "")) * MICRO == whole
