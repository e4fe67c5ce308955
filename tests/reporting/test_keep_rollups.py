"""Rollups say what entries and records say, whatever happened in which order (spec 07, Rollups)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from apps.core.ids import OrganizationId
from apps.credits.services import credits_consume
from apps.reporting.models import CreditRollup, RollupState
from apps.reporting.rules.pieces import cut_pieces
from apps.reporting.selectors.faults import rollup_faults
from apps.reporting.selectors.lines import EntryPart
from apps.reporting.selectors.usage import Span, credit_usage, zone_of_rollups
from apps.reporting.services import rollups as rollup_services
from apps.reporting.services import rollups_rebuild, rollups_refresh
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits.cast import consumption, give, make_place
from tests.reporting.lives import agree, at, begin_life, live
from tests.sizes import size

STARTS = {
    "clocks go forward": (datetime(2026, 3, 27, tzinfo=UTC), ("Europe/Berlin", "Africa/Casablanca")),
    "clocks go back": (datetime(2026, 10, 23, tzinfo=UTC), ("Europe/Berlin", "America/New_York")),
    "leap day": (datetime(2028, 2, 27, tzinfo=UTC), ("America/New_York", "Asia/Kathmandu")),
    "Apia leaves a day out": (datetime(2011, 12, 28, tzinfo=UTC), ("Pacific/Apia",)),
    "half an hour": (datetime(2026, 4, 3, tzinfo=UTC), ("Australia/Lord_Howe", "Pacific/Kiritimati")),
    "back over midnight": (datetime(2010, 11, 5, tzinfo=UTC), ("America/St_Johns",)),
}
STEPS = size(small=36, full=2_000)


@pytest.mark.prove("P10 rollups equal a second computation, random lives", size=STEPS * len(STARTS))
@pytest.mark.parametrize("name", STARTS)
@pytest.mark.django_db
def test_random_lives(name: str) -> None:
    start, zones = STARTS[name]
    life, moment = begin_life(hash_of(name), zones[0], start), start
    for step in range(STEPS):
        moment += timedelta(minutes=life.chance.randrange(1, 300), seconds=life.chance.randrange(60))
        live(life, moment, zones=zones)
        if step % (STEPS // 3) == 0:
            agree(life, moment)
    agree(life, moment)
    with at(moment):
        rollups_refresh(console_context())
    state = RollupState.objects.select_related("account__organization").get(pk=life.organization.pk)
    assert (state.last_sequence, state.zone) == (state.account.last_sequence, state.account.organization.time_zone)
    assert rollup_faults(life.organization.pk) == []
    assert sum(row.amount for row in CreditRollup.objects.filter(account=life.organization.pk)) == state.account.balance
    agree(life, moment)
    before = rows()
    rollups_rebuild(console_context(), account_id=life.organization.pk)
    assert summed(rows()) == summed(before)


def hash_of(name: str) -> int:
    return sum(name.encode())


def rows() -> list[tuple[Any, ...]]:
    return list(
        CreditRollup.objects.values_list("recorded_on", "occurred_on", "kind", "workspace_id", "operation", "category",
            "quantity", "amount", "count")
    )  # fmt: skip


def summed(found: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[int]]:
    totals: dict[tuple[Any, ...], list[int]] = {}
    for *words, quantity, amount, count in found:
        figures = totals.setdefault(tuple(words), [0, 0, 0])
        for place, figure in enumerate((quantity, amount, count)):
            figures[place] += int(figure)
    return totals


@pytest.mark.django_db
def test_many_pieces_and_an_unfinished_run_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place(whole_credits=1_000)
    monkeypatch.setattr(rollup_services, "cut_pieces", lambda **values: cut_pieces(**values, most=7))
    monkeypatch.setattr(rollup_services, "_MOST_AT_ONCE", 20)
    for _ in range(50):
        credits_consume(place.context, consumption=consumption(place))
    assert rollups_refresh(console_context())["entries"] == 20
    assert rollups_refresh(console_context())["entries"] == 20
    assert rollups_refresh(console_context())["entries"] == 11
    assert rollups_refresh(console_context())["entries"] == 0
    assert CreditRollup.objects.values("first_sequence").distinct().count() == 8
    assert rollup_faults(place.organization.pk) == []


@pytest.mark.django_db
def test_until_a_new_zone_is_rolled_up_the_old_one_is_shown_whole() -> None:
    place = make_place(whole_credits=10)
    with at(datetime(2026, 5, 5, 23, 30, tzinfo=UTC)):
        give(place, 5_000_000)
    organization_id = OrganizationId(place.organization.pk)
    with at(datetime(2027, 5, 5, 23, 30, tzinfo=UTC)):
        credits_consume(place.context, consumption=consumption(place))
        rollups_refresh(console_context())
        Organization.objects.filter(pk=organization_id).update(time_zone="Asia/Kathmandu")
        assert days_shown(organization_id) == ("UTC", [date(2027, 5, 5)])
        credits_consume(place.context, consumption=consumption(place, operation="unit"))
        assert days_shown(organization_id) == ("UTC", [date(2027, 5, 5)] * 2)
        assert rollups_refresh(console_context())["rebuilt"] == 1
        assert days_shown(organization_id) == ("Asia/Kathmandu", [date(2027, 5, 6)] * 2)


def days_shown(organization_id: OrganizationId) -> tuple[str, list[date]]:
    zone = zone_of_rollups(organization_id)
    span = Span(organization_id, None, zone, date(2027, 4, 1), date(2027, 6, 1))
    return zone, [line.day for line in credit_usage(span)]


@pytest.mark.django_db
def test_one_organization_that_fails_holds_back_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = make_place("red", whole_credits=1), make_place("blue", whole_credits=1)
    write = rollup_services._write_entries

    def refuse(zone: str, parts: list[EntryPart]) -> None:
        if any(part.account_id == bad.organization.pk for part in parts):
            raise ArithmeticError
        write(zone, parts)

    monkeypatch.setattr(rollup_services, "_write_entries", refuse)
    with pytest.raises(Exception, match=str(bad.organization.pk)):
        rollups_refresh(console_context())
    assert RollupState.objects.get(pk=good.organization.pk).last_sequence == 1
    assert RollupState.objects.get(pk=bad.organization.pk).last_sequence == 0
