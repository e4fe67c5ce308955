"""A sync survives the death of its worker anywhere, and is nobody's twice (spec 11, P3; spec 06, Sync run).

Real processes are killed at random moments while they sync from a provider that also fails, limits and repeats. What we
have is then what the provider has, once each, and the counts of the run are those of a run that nobody killed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from apps.connectors.contracts import Month, RecordPage
from apps.connectors.enums import SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.models import BillingRecord, Connector, ConnectorEvent, SyncRun
from apps.connectors.sync import engine, records
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.queue import SYNC_RUNS
from apps.connectors.sync.requests import sync_request
from apps.core import clock
from apps.core.failpoints import Failpoint
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, UpstreamProvider, opened_from, opened_on, stored
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.core.threads import at_once
from tests.sizes import size
from tests.subscriptions.cast import chance_of

MONTH = "2026-03"
KILLS = size(small=8, full=200)
RACERS = 16
SEED = 9
pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead worker's run can be taken over at once, and a page is tried again at once."""
    monkeypatch.setattr(engine, "SYNC_RUNS", replace(SYNC_RUNS, lease=timedelta(0), beat=timedelta(minutes=1)))
    monkeypatch.setattr(engine, "page_delay", lambda tries, **_: timedelta(0))
    monkeypatch.setattr(engine, "MAX_TRIES", 10_000)


@pytest.fixture
def connector() -> Connector:
    return make_connector(make_active_workspace())


def asked(connector: Connector) -> SyncRunId:
    (answer,) = sync_request(console_context(), connector_id=id_of(connector), month=Month.read(MONTH))
    return SyncRunId(answer.run.pk)


def killed_until_done(connector: Connector, path: Path, kills: int, seed: int) -> int:
    """Syncs of the month, one after the other, whose workers are killed at random; returns the kills."""
    chance, done, state = chance_of(seed), 0, Upstream(page_size=20, faults=0.15)
    round_of = 0
    while done < kills:
        round_of += 1
        # Each round the provider has other records: some gone, some changed, some new.
        state.fill(MONTH, 300)
        month = state.months[MONTH]
        state.months[MONTH] = {name: figure + round_of for name, figure in month.items() if chance.random() < 0.9}
        state.save(path)
        run_id = asked(connector)
        while SyncRun.objects.get(pk=run_id).finished_at is None:
            process = started(partial(sync_run_execute, run_id, opened=opened_from(path)))
            if done < kills:
                process.join(chance.uniform(0.02, 0.35))
            else:
                process.join()
            if process.is_alive():
                kill(process)
                done += 1
        assert_equal(connector, state, SyncRun.objects.get(pk=run_id))
    return done


def assert_equal(connector: Connector, state: Upstream, run: SyncRun) -> None:
    assert run.status == SyncStatus.SUCCEEDED, run.error
    assert stored(connector.pk, MONTH) == state.months[MONTH]
    # Each page was counted once, whoever wrote it: the repeats of a faulty feed are two records a page after the first.
    every = len(state.months[MONTH])
    pages_of = -(-every // state.page_size)
    assert (run.pages, run.fetched) == (pages_of, every + 2 * (pages_of - 1))


@pytest.mark.prove("P3 a sync killed at random: the provider's records, once each", size=KILLS, control="two caught")
def test_killed_at_random_points(connector: Connector, tmp_path: Path) -> None:
    assert killed_until_done(connector, tmp_path / "upstream.json", KILLS, SEED) >= KILLS


PLACES: tuple[Failpoint, ...] = ("sync.after_claim", "sync.after_fetch", "sync.before_page_commit", "sync.after_page")


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_each_named_place_it_goes_on_where_it_stopped(
    connector: Connector, tmp_path: Path, place: Failpoint
) -> None:
    state = Upstream(page_size=10)
    state.fill(MONTH, 25)
    state.save(tmp_path / "upstream.json")
    run_id, opened = asked(connector), opened_from(tmp_path / "upstream.json")
    assert dies_at(place, partial(sync_run_execute, run_id, opened=opened))
    before = SyncRun.objects.get(pk=run_id)
    assert (before.status, before.pages) == (SyncStatus.RUNNING, 1 if place == "sync.after_page" else 0)
    calls: list[str | None] = []
    run = sync_run_execute(run_id, opened=opened_on(state, calls))
    assert run is not None
    assert (run.status, run.fetched, run.created, run.claims) == (SyncStatus.SUCCEEDED, 25, 25, 2)
    assert calls[0] == ("10" if place == "sync.after_page" else None)
    assert stored(connector.pk, MONTH) == state.months[MONTH]
    assert ConnectorEvent.objects.filter(connector=connector, kind="sync_taken_over").count() == 1


def test_a_cursor_that_moves_in_a_transaction_of_its_own_is_caught(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the cursor is committed before the page, so that a death between the two loses the page."""
    write = records.write_page

    def late(
        place: records.PageContext, rows: list[records.RecordRow], *, fetched: int, next_cursor: str | None
    ) -> records.PageResult:
        outcome = records.PageResult(fetched, rows, [], 0)

        def after() -> None:
            time.sleep(0.1)
            write(place, rows, fetched=fetched, next_cursor=next_cursor)

        connection.on_commit(after)
        return outcome

    monkeypatch.setattr(engine, "write_page", late)
    with pytest.raises(AssertionError):
        killed_until_done(connector, tmp_path / "upstream.json", 8, SEED)


def test_records_without_an_upsert_key_are_caught(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the unique key, a page that is delivered again is there twice."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE connectors_billingrecord DROP CONSTRAINT billing_record_unique")
    try:
        monkeypatch.setattr(records, "_UPSERT", records._UPSERT.partition("ON CONFLICT")[0])
        monkeypatch.setattr(records, "_compare_with_stored", lambda connector_id, rows: {})
        with pytest.raises(AssertionError, match="twice"):
            killed_until_done(connector, tmp_path / "upstream.json", 4, SEED)
    finally:
        BillingRecord.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE connectors_billingrecord ADD CONSTRAINT billing_record_unique"
                " UNIQUE (connector_id, external_id)"
            )


class Slow(UpstreamProvider):
    """Slow enough that every worker comes while the first reads."""

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        time.sleep(0.05)
        return super().fetch_month(month, cursor)


def race(run_id: SyncRunId, state: Upstream) -> tuple[int, list[str | None]]:
    """Sixteen workers after one run: how many got it, and what the provider was asked for."""
    calls: list[str | None] = []
    results = at_once(RACERS, lambda number: sync_run_execute(run_id, opened=lambda run: Slow(state, calls)))
    return sum(isinstance(result, SyncRun) for result in results), calls


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Upstream:
    monkeypatch.setattr(engine, "SYNC_RUNS", replace(SYNC_RUNS, lease=timedelta(minutes=1)))
    upstream = Upstream()
    upstream.fill(MONTH, 25)
    return upstream


@pytest.mark.prove("one active worker a run", size=RACERS, control="a claim that reads, then writes, is caught")
def test_sixteen_workers_race_for_one_run(connector: Connector, state: Upstream) -> None:
    assert race(asked(connector), state) == (1, [None, "10", "20"])
    assert stored(connector.pk, MONTH) == state.months[MONTH]


def test_a_claim_that_reads_and_then_writes_is_caught(
    connector: Connector, state: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whether the run is free is read without its lock."""

    def unlocked(run_id: SyncRunId) -> SyncRun | None:
        run = SyncRun.objects.select_related("connector__workspace__organization").get(pk=run_id)
        if run.status != SyncStatus.QUEUED:
            return None
        time.sleep(0.1)
        run.status, run.claims, run.started_at = SyncStatus.RUNNING, run.claims + 1, clock.now()
        run.save()
        return run

    monkeypatch.setattr(engine, "_claim", unlocked)
    workers, _ = race(asked(connector), state)
    with pytest.raises(AssertionError):
        assert workers == 1


def test_sixteen_who_ask_at_once_get_one_run(connector: Connector) -> None:
    results = at_once(
        RACERS,
        lambda number: sync_request(console_context(), connector_id=id_of(connector), month=Month.read(MONTH)),
    )
    answers = [answer for result in results if isinstance(result, list) for answer in result]
    assert len(answers) == RACERS
    assert len({answer.run.pk for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1
    assert SyncRun.objects.count() == 1
