"""A feed is not believed blindly: months that shrink, records of other months, cursors in circles (spec 06)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django.fixtures import Settings

from apps.connectors.contracts import Month
from apps.connectors.enums import SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.jobs import syncs_schedule
from apps.connectors.models import BillingRecord, Connector, ConnectorEvent, MonthState, MonthTotal, SyncRun
from apps.connectors.services import connector_create
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import months_waiting, shrink_confirm, shrink_reject, sync_request
from apps.core.errors import ConflictError
from apps.core.ids import WorkspaceId
from apps.tenants.models import Workspace
from tests.connectors.cast import id_of, make_active_workspace
from tests.connectors.providers.stand_in import Asked, Reply, reply
from tests.connectors.providers.test_usage_feed import STAND_IN, record
from tests.connectors.test_onboard import params
from tests.connectors.web import Web, put_up
from tests.contexts import console_context

NOW = datetime(2026, 4, 20, 9, 30, tzinfo=UTC)
APRIL = Month(2026, 4)
EMPTY_CSV = b"external_id,occurred_at,kind,category\n"


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def feed(web: Web, settings: Settings) -> Web:
    """A real server; what it answers to a month stands in `failing`."""
    put_up(web, STAND_IN, settings)
    return web


def make(feed: Web, zone: str = "UTC", **settings: str) -> Connector:
    workspace = make_active_workspace()
    move(workspace, zone)
    feed.failing = None
    given = params(feed, settings={**STAND_IN.settings(feed.base), **settings})
    return connector_create(console_context(), workspace_id=WorkspaceId(workspace.pk), params=given)


def move(workspace: Workspace, zone: str) -> None:
    workspace.organization.time_zone = zone
    workspace.organization.save()


def answer(feed: Web, *records: dict[str, Any], following: str | None = None) -> None:
    feed.failing = reply({"records": list(records), "next_cursor": following})


def synced(connector: Connector, month: Month = APRIL) -> SyncRun:
    (asked,) = sync_request(console_context(), connector_id=id_of(connector), month=month)
    return finish(asked.run)


def finish(run: SyncRun) -> SyncRun:
    done = sync_run_execute(SyncRunId(run.pk))
    assert done is not None
    return done


def live(connector: Connector) -> dict[str, str]:
    rows = BillingRecord.objects.filter(connector=connector, voided_at=None)
    return dict(rows.order_by("external_id").values_list("external_id", "month"))


def totals(connector: Connector) -> set[tuple[Any, ...]]:
    rows = MonthTotal.objects.filter(connector=connector).exclude(records=0, voided=0)
    found = rows.values_list("month", "kind", "currency", "records", "voided", "amount_minor")
    return {(*figures, int(amount)) for *figures, amount in found}


# --- A month that shrinks ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("left", "waits"), [(0, True), (1, True), (4, True), (5, False), (9, False), (10, False)])
def test_a_month_that_loses_more_than_half_waits_for_a_person(feed: Web, db: None, left: int, waits: bool) -> None:
    connector = make(feed)
    answer(feed, *(record(number) for number in range(10)))
    assert synced(connector).status == SyncStatus.SUCCEEDED
    answer(feed, *(record(number) for number in range(left)))
    run = synced(connector)
    assert len(live(connector)) == (10 if waits else left)
    assert (run.status, run.error_code) == (("failed", "month_shrinks") if waits else ("succeeded", ""))
    assert [(state.shrink_from, state.shrink_to) for state in months_waiting(connector)] == [(10, left)] * waits


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"We are back soon", b'{"records": []}', EMPTY_CSV])
def test_an_answer_that_is_no_month_voids_nothing(feed: Web, db: None, body: bytes) -> None:
    connector = make(feed, format="csv")
    lines = [b"r-%d,2026-04-03T10:00:00Z,usage,free\n" % number for number in range(3)]
    feed.failing = (200, {}, EMPTY_CSV + b"".join(lines))
    assert synced(connector).created == 3
    feed.failing = (200, {}, body)
    run = synced(connector)
    assert (run.status, run.error_code) == ("failed", "month_shrinks" if body == EMPTY_CSV else "answer_unreadable")
    assert len(live(connector)) == 3


def test_who_confirms_lets_it_shrink_so_far_and_no_further(feed: Web, db: None) -> None:
    connector = make(feed)
    answer(feed, *(record(number) for number in range(20)))
    synced(connector)
    answer(feed, *(record(number) for number in range(6)))
    synced(connector)
    # By the time of the yes the feed answers with less again.
    (asked,) = shrink_confirm(console_context(), connector_id=id_of(connector), month=APRIL, reason="A project ended")
    answer(feed, record(1))
    assert finish(asked.run).error_code == "month_shrinks"
    assert len(live(connector)) == 20
    (asked,) = shrink_confirm(
        console_context(), connector_id=id_of(connector), month=APRIL, reason="All projects ended"
    )
    run = finish(asked.run)
    assert (run.status, run.voided) == ("succeeded", 19)
    assert list(live(connector)) == ["r-1"]
    assert months_waiting(connector) == []
    with pytest.raises(ConflictError, match="Nobody is asked"):
        shrink_confirm(console_context(), connector_id=id_of(connector), month=APRIL, reason="Again")
    said = ConnectorEvent.objects.filter(connector=connector, kind="shrink_answered").order_by("pk")
    assert [event.sentence for event in said] == [
        "2026-04 may go from 20 to 6 records: A project ended",
        "2026-04 may go from 6 to 1 records: All projects ended",
    ]


def test_a_month_that_waits_is_not_read_by_the_schedule_and_a_day_after_a_no_again(feed: Web, db: None) -> None:
    connector = make(feed)
    answer(feed, *(record(number) for number in range(4)))
    synced(connector)
    answer(feed)
    synced(connector)
    assert APRIL not in scheduled_months(connector, NOW + timedelta(hours=5))
    with time_machine.travel(NOW + timedelta(hours=6), tick=False):
        shrink_reject(console_context(), connector_id=id_of(connector), month=APRIL, reason="The feed is broken")
    assert APRIL not in scheduled_months(connector, NOW + timedelta(hours=29))
    assert APRIL in scheduled_months(connector, NOW + timedelta(hours=31))
    assert len(live(connector)) == 4


def scheduled_months(connector: Connector, at: datetime) -> set[Month]:
    before = set(SyncRun.objects.values_list("pk", flat=True))
    with time_machine.travel(at, tick=False):
        Connector.objects.filter(pk=connector.pk).update(next_due_at=at)
        syncs_schedule(console_context())
    made = SyncRun.objects.exclude(pk__in=before)
    found = {Month.read(run.month) for run in made}
    made.delete()
    return found


# --- Records of other months ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("zone", "occurred_at", "month"),
    [
        ("UTC", "2026-04-01T00:00:00Z", "2026-04"),
        ("UTC", "2026-03-31T23:59:59Z", "2026-03"),
        ("UTC", "2026-05-01T23:00:00Z", "2026-05"),
        ("UTC", "2026-05-02T00:00:00Z", None),
        ("UTC", "2026-03-30T23:59:59Z", None),
        ("UTC", "2031-09-01T00:00:00Z", None),
        ("UTC", "2025-04-15T00:00:00Z", None),
        ("Pacific/Auckland", "2026-03-31T12:00:00Z", "2026-04"),
        ("Pacific/Auckland", "2026-04-30T12:00:00Z", "2026-05"),
        ("America/Los_Angeles", "2026-05-01T06:59:00Z", "2026-04"),
        ("America/Los_Angeles", "2026-04-01T01:00:00+02:00", "2026-03"),
    ],
)
def test_a_record_belongs_to_the_month_in_which_it_occurred(
    feed: Web, db: None, zone: str, occurred_at: str, month: str | None
) -> None:
    connector = make(feed, zone)
    answer(feed, record(1), record(2, occurred_at=occurred_at))
    run = synced(connector)
    if month is None:
        assert (run.status, run.error_code, live(connector)) == ("failed", "wrong_month", {})
        assert "asked for 2026-04" in run.error
        assert "'r-2'" in run.error
    else:
        assert live(connector) == {"r-1": "2026-04", "r-2": month}


def test_a_neighbour_is_voided_by_the_month_that_brought_it_alone(feed: Web, db: None) -> None:
    """The feed counts its months in UTC, the organization is in Auckland."""
    connector = make(feed, "Pacific/Auckland")
    with time_machine.travel(NOW + timedelta(days=20), tick=False):
        late = record(2, occurred_at="2026-04-30T20:00:00Z")
        answer(feed, record(1), record(3), late)
        synced(connector)
        answer(feed, record(9, occurred_at="2026-05-03T00:00:00Z"))
        assert synced(connector, Month(2026, 5)).voided == 0
        assert live(connector) == {"r-1": "2026-04", "r-2": "2026-05", "r-3": "2026-04", "r-9": "2026-05"}
        assert totals(connector) == {("2026-04", "usage", "EUR", 2, 0, 2500), ("2026-05", "usage", "EUR", 2, 0, 2500)}
        answer(feed, record(1), record(3))
        assert synced(connector).voided == 1
        assert totals(connector) == {("2026-04", "usage", "EUR", 2, 0, 2500), ("2026-05", "usage", "EUR", 1, 1, 1250)}


# --- Cursors in circles -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("length", [1, 2, 3, 7])
@pytest.mark.parametrize("lead", [0, 2])
def test_a_cursor_that_came_before_ends_the_run(feed: Web, db: None, length: int, lead: int) -> None:
    """Each page is as it was before, so that nothing but its cursor tells; every call counts against the tenant."""
    connector = make(feed)

    def turn(asked: Asked) -> Reply:
        place = int(asked.query.get("cursor", "0"))
        following = place + 1 if place + 1 < lead + length + 1 else lead + 1
        return reply({"records": [record(1)], "next_cursor": str(following)})

    feed.stand_in = replace(STAND_IN, answer=turn)
    feed.asked.clear()
    run = synced(connector)
    assert (run.status, run.error_code) == ("failed", "cursor_repeats")
    assert len(feed.asked) == lead + length + 1
    assert not MonthState.objects.filter(connector=connector, read_at__isnull=False).exists()


# --- Words ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"occurred_at": "03/04/2026"}, 'record 1 (r-1): occurred_at must be a time such as "2026-04-03T09:30:00Z".'),
        ({"occurred_at": "2026-04-03T10:00:00"}, "occurred_at has no offset"),
        ({"quantity": 1.5}, 'quantity must be a decimal string such as "1.5".'),
        ({"kind": "invoice"}, "kind must be one of 'usage', 'cost' or 'line'."),
        ({"category": None}, "category is missing. Send regular, free or internal, or choose a default"),
        ({"catgory": "free"}, "catgory is not known; did you mean category."),
        ({"amount_minor": "12"}, "amount_minor must be a whole number."),
        ({"description": "x" * 3000}, "description must have at most 2000 characters."),
    ],
    ids=str,
)
def test_a_record_that_can_not_be_taken_is_refused_in_words(
    feed: Web, db: None, changes: dict[str, Any], told: str
) -> None:
    connector = make(feed)
    answer(feed, record(1, **changes))
    run = synced(connector)
    assert told in run.error
    for leak in ("isoformat", "Input should", "Error", "type=", "is not a valid"):
        assert leak not in run.error


def test_a_default_of_the_settings_stands_for_a_category_that_is_missing(feed: Web, db: None) -> None:
    connector = make(feed, default_category="internal")
    bare = record(1)
    del bare["category"]
    answer(feed, bare, record(2))
    assert synced(connector).status == SyncStatus.SUCCEEDED
    assert set(BillingRecord.objects.values_list("external_id", "category")) == {
        ("r-1", "internal"),
        ("r-2", "regular"),
    }
