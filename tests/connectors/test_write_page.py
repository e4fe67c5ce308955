"""A page writes what is new or differs, and nothing else (spec 06, Sync run)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest
from django.db import connection

from apps.connectors.contracts import Month, ProviderRecord, RecordPage
from apps.connectors.enums import SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.models import BillingRecord, Connector, SeenRecords, SyncRun
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, UpstreamProvider, opened_on, record_of
from tests.contexts import console_context

MONTH = "2026-03"


@pytest.fixture
def connector(db: None) -> Connector:
    return make_connector(make_active_workspace())


@pytest.fixture
def state() -> Upstream:
    upstream = Upstream()
    upstream.fill(MONTH, 25)
    return upstream


def synced(connector: Connector, opened: Any) -> SyncRun:
    (answer,) = sync_request(console_context(), connector_id=id_of(connector), month=Month.read(MONTH))
    run = sync_run_execute(SyncRunId(answer.run.pk), opened=opened)
    assert run is not None
    return run


def one_page(record: ProviderRecord) -> Any:
    """An opener of a provider that has this record alone."""

    class One(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            return RecordPage((record,))

    return lambda run: One(Upstream())


def rows_of_table() -> list[tuple[str, str]]:
    """Each record with the version of its row: a row that is rewritten gets another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT external_id, ctid::text FROM connectors_billingrecord ORDER BY external_id")
        return list(cursor.fetchall())


def test_what_is_as_before_is_not_rewritten_and_nothing_is_left_of_the_notes(
    connector: Connector, state: Upstream
) -> None:
    synced(connector, opened_on(state))
    before = rows_of_table()
    assert synced(connector, opened_on(state)).unchanged == len(before) == 25
    assert rows_of_table() == before
    name = next(iter(state.months[MONTH]))
    state.months[MONTH][name] += 1
    assert synced(connector, opened_on(state)).updated == 1
    assert [row for row in rows_of_table() if row not in before] == [(name, ANY)]
    assert not SeenRecords.objects.exists()


def test_the_same_moment_in_another_zone_is_no_change(connector: Connector, state: Upstream) -> None:
    synced(connector, opened_on(state))

    class Elsewhere(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            page = super().fetch_month(month, cursor)
            zone = timezone(timedelta(hours=9))
            records = (replace(record, occurred_at=record.occurred_at.astimezone(zone)) for record in page.records)
            return RecordPage(tuple(records), page.next_cursor)

    assert synced(connector, lambda run: Elsewhere(state)).unchanged == 25


def test_integers_beyond_64_bits_are_kept(connector: Connector) -> None:
    record = replace(record_of(MONTH, "large", 1), raw={"number": 10**30, "exact": Decimal("0.1")})
    assert synced(connector, one_page(record)).status == SyncStatus.SUCCEEDED
    assert BillingRecord.objects.get().raw == {"number": 10**30, "exact": "0.1"}
