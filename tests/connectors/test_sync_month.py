"""A sync brings one month up to date: upsert, cursor, voiding, adjustments, retries, refusals (spec 06, Sync run)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from apps.connectors.contracts import Month, Provider, ProviderError, RecordPage
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.models import BillingRecord, Connector, ConnectorEvent, MonthState, RecordAdjustment, SyncRun
from apps.connectors.services import connector_enable
from apps.connectors.sync import engine
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.guards import FAILURES_IN_A_ROW, MAX_TRIES, page_delay
from apps.connectors.sync.requests import sync_request
from apps.core.context import ExecutionContext
from apps.core.errors import UnprocessableError
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, UpstreamProvider, counts_of, opened_on, record_of, stored
from tests.contexts import console_context

MONTH = "2026-03"
NOW = datetime(2026, 4, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _hours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(engine, "page_delay", lambda tries, **_: timedelta(0))
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def connector(db: None) -> Connector:
    return make_connector(make_active_workspace())


@pytest.fixture
def state() -> Upstream:
    upstream = Upstream()
    upstream.fill(MONTH, 25)
    return upstream


def asked(connector: Connector, context: ExecutionContext | None = None, month: str | None = MONTH) -> SyncRun:
    (answer, *_) = sync_request(
        context or console_context(), connector_id=id_of(connector), month=Month.read(month) if month else None
    )
    return answer.run


def synced(connector: Connector, opened: Any, month: str = MONTH) -> SyncRun:
    run = sync_run_execute(SyncRunId(asked(connector, month=month).pk), opened=opened)
    assert run is not None
    return run


def kinds(connector: Connector) -> list[str]:
    return list(ConnectorEvent.objects.filter(connector=connector).order_by("pk").values_list("kind", flat=True))


def test_a_month_is_read_whole_and_again_without_change(connector: Connector, state: Upstream) -> None:
    first = synced(connector, opened_on(state))
    assert (first.status, first.pages, first.error) == (SyncStatus.SUCCEEDED, 3, "")
    assert counts_of(first) == {"fetched": 25, "created": 25, "updated": 0, "unchanged": 0, "voided": 0}
    assert stored(connector.pk, MONTH) == state.months[MONTH]
    second = synced(connector, opened_on(state))
    assert counts_of(second) == {"fetched": 25, "created": 0, "updated": 0, "unchanged": 25, "voided": 0}
    connector.refresh_from_db()
    assert connector.last_success_at == NOW


def test_changed_new_and_gone_records(connector: Connector, state: Upstream) -> None:
    synced(connector, opened_on(state))
    month = state.months[MONTH]
    del month[f"{MONTH}-0000003"]
    month[f"{MONTH}-0000004"], month["late"] = 5_000, 6_000
    run = synced(connector, opened_on(state))
    assert counts_of(run) == {"fetched": 25, "created": 1, "updated": 1, "unchanged": 23, "voided": 1}
    assert stored(connector.pk, MONTH) == month
    month[f"{MONTH}-0000003"] = 22
    assert counts_of(synced(connector, opened_on(state)))["updated"] == 1
    assert stored(connector.pk, MONTH) == month


def test_an_incomplete_run_voids_nothing(connector: Connector, state: Upstream) -> None:
    synced(connector, opened_on(state))
    state.months[MONTH] = dict(list(state.months[MONTH].items())[12:])

    class Breaking(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            if cursor:
                raise ProviderError("404", is_permanent=True)
            return super().fetch_month(month, cursor)

    run = synced(connector, lambda run: Breaking(state))
    assert (run.status, run.error_code, run.voided) == (SyncStatus.FAILED, "provider_refused", 0)
    assert len(stored(connector.pk, MONTH)) == 25


def test_a_record_is_kept_as_it_came(connector: Connector, state: Upstream) -> None:
    synced(connector, opened_on(state))
    record = BillingRecord.objects.get(connector=connector, external_id=f"{MONTH}-0000001")
    expected = record_of(MONTH, f"{MONTH}-0000001", 8)
    for name in ("description", "occurred_at", "unit", "amount_minor", "currency", "kind", "status", "raw"):
        assert getattr(record, name) == getattr(expected, name)
    assert Decimal(record.quantity) == expected.quantity


def test_after_settling_a_month_is_final_and_its_late_changes_are_adjustments(
    connector: Connector, state: Upstream
) -> None:
    synced(connector, opened_on(state))
    assert MonthState.objects.get(connector=connector, month=MONTH).read_at == NOW
    month = state.months[MONTH]
    del month[f"{MONTH}-0000000"]
    month[f"{MONTH}-0000001"], month["late"] = 900, 77
    run = synced(connector, opened_on(state))
    assert run.was_final
    found = RecordAdjustment.objects.filter(connector=connector).order_by("external_id")
    assert [(a.kind, a.external_id, a.amount_before, a.amount_after) for a in found] == [
        ("voided", f"{MONTH}-0000000", 1, None),
        ("changed", f"{MONTH}-0000001", 8, 900),
        ("added", "late", None, 77),
    ]
    assert {"month_reopened", "late_change"} <= set(kinds(connector))
    assert stored(connector.pk, MONTH) == month


def test_auto_asks_for_every_month_that_is_not_final(connector: Connector, state: Upstream) -> None:
    synced(connector, opened_on(state))
    answers = sync_request(console_context(), connector_id=id_of(connector))
    months = [answer.run.month for answer in answers]
    assert (months[0], months[-1], len(months)) == ("2025-03", "2026-04", 13)
    assert MONTH not in months
    again = sync_request(console_context(), connector_id=id_of(connector))
    assert [answer.run.pk for answer in again] == [answer.run.pk for answer in answers]
    assert not any(answer.is_new for answer in again)


def test_a_month_that_has_not_begun_is_refused(connector: Connector) -> None:
    with pytest.raises(UnprocessableError, match="2026-05 has not begun"):
        asked(connector, month="2026-05")
    assert not SyncRun.objects.exists()


def test_a_provider_that_stumbles_is_asked_again(connector: Connector, state: Upstream) -> None:
    calls: list[str | None] = []
    state.faults = 0.4
    engine_run = synced(connector, opened_on(state, calls))
    while engine_run.status == SyncStatus.FAILED:
        engine_run = synced(connector, opened_on(state, calls))
    assert len(calls) >= 3
    assert stored(connector.pk, MONTH) == state.months[MONTH]


class Refusing(UpstreamProvider):
    """Fails every call in one way."""

    def __init__(self, error: Exception) -> None:
        super().__init__(Upstream())
        self._error = error

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        self.calls.append(cursor)
        raise self._error


def opened_refusing(error: Exception) -> tuple[Callable[[SyncRun], Provider], Refusing]:
    provider = Refusing(error)
    return (lambda run: provider), provider


def test_a_refused_credential_stops_at_once(connector: Connector) -> None:
    opened, provider = opened_refusing(ProviderError("401", is_credential_invalid=True))
    run = synced(connector, opened)
    assert (run.status, run.error_code, len(provider.calls)) == (SyncStatus.FAILED, "credential_invalid", 1)
    connector.refresh_from_db()
    assert (connector.status, connector.auto_disable_reason) == ("auto_disabled", "credential_invalid")


@pytest.mark.parametrize("error", [ProviderError("503"), KeyError("total")], ids=["503", "a bug"])
def test_what_may_pass_is_tried_so_many_times(connector: Connector, error: Exception) -> None:
    opened, provider = opened_refusing(error)
    run = synced(connector, opened)
    assert (run.status, run.error_code, len(provider.calls)) == (SyncStatus.FAILED, "provider_unavailable", MAX_TRIES)


def test_a_long_wait_hands_the_run_back_until_then(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "page_delay", page_delay)
    opened, provider = opened_refusing(ProviderError("429", retry_after=timedelta(minutes=20)))
    run = synced(connector, opened)
    assert (run.status, run.lease_expires_at) == (SyncStatus.QUEUED, NOW + timedelta(minutes=20))
    assert sync_run_execute(SyncRunId(run.pk), opened=opened) is None
    with time_machine.travel(NOW + timedelta(minutes=20), tick=False):
        assert sync_run_execute(SyncRunId(run.pk), opened=opened) is not None
    assert len(provider.calls) == 2


def test_ten_failures_in_a_row_switch_the_connector_off_and_enabling_begins_the_count_again(db: None) -> None:
    connector = make_connector(make_active_workspace(), provider="demo")
    opened, _ = opened_refusing(ProviderError("404", is_permanent=True))
    for number in range(FAILURES_IN_A_ROW):
        with time_machine.travel(NOW + timedelta(minutes=number), tick=False):
            connector.refresh_from_db()
            assert connector.status == ConnectorStatus.ENABLED
            synced(connector, opened)
    connector.refresh_from_db()
    assert (connector.status, connector.auto_disable_reason) == ("auto_disabled", "too_many_failures")
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        connector_enable(console_context(), connector_id=id_of(connector))
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        synced(connector, opened)
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.ENABLED


def test_a_provider_whose_cursor_goes_in_circles_is_stopped(connector: Connector, state: Upstream) -> None:
    class Circling(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            return RecordPage(super().fetch_month(month, None).records, "10")

    run = synced(connector, lambda run: Circling(state))
    assert (run.status, run.error_code, run.pages) == (SyncStatus.FAILED, "cursor_repeats", 1)


BAD: list[dict[str, Any]] = [
    {"external_id": ""},
    {"external_id": "x" * 256},
    {"external_id": "a\x00b"},
    {"amount_minor": None},
    {"currency": ""},
    {"currency": "eur"},
    {"amount_minor": 2**63},
    {"quantity": Decimal("NaN")},
    {"quantity": Decimal("Infinity")},
    {"quantity": Decimal(10) ** 24},
    {"quantity": Decimal("1e999999")},
    {"occurred_at": datetime(2026, 3, 1)},  # noqa: DTZ001 - that is what is wrong with it
    {"description": "\ud800"},
    {"unit": "u" * 65},
]


@pytest.mark.parametrize("wrong", BAD, ids=lambda wrong: f"{next(iter(wrong))}={str(*wrong.values())[:12]!a}")
def test_a_record_that_can_not_be_fails_the_run_and_stores_nothing(connector: Connector, wrong: dict[str, Any]) -> None:
    good = record_of(MONTH, "good", 4)
    bad = {name: getattr(good, name) for name in good.__slots__} | {"external_id": "bad"} | wrong

    class Wrong(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            return RecordPage((good, type(good)(**bad)))

    run = synced(connector, lambda run: Wrong(Upstream()))
    assert (run.status, run.error_code) == (SyncStatus.FAILED, "provider_refused")
    assert stored(connector.pk, MONTH) == {}


def test_nul_in_words_and_in_the_raw_payload_is_left_out(connector: Connector) -> None:
    good = record_of(MONTH, "r", 4)
    odd = {name: getattr(good, name) for name in good.__slots__}
    odd |= {"description": "a\x00b", "raw": {"x": "a\x00b", "y": "\\u0000"}}

    class Odd(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            return RecordPage((type(good)(**odd),))

    assert synced(connector, lambda run: Odd(Upstream())).status == SyncStatus.SUCCEEDED
    record = BillingRecord.objects.get(connector=connector)
    assert (record.description, record.raw) == ("ab", {"x": "ab", "y": "\\u0000"})
