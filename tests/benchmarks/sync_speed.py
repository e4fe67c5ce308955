"""Records a second of a whole sync, against COPY of the same rows into the same table (spec 11, Speed; issue 6).

`measured` needs a connector in a database that it may write to; it prints nothing. `line_of` is what a runner prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from django.db import connection, transaction

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import console_context

MONTH = Month(2026, 3)
PAGE_SIZE = 1_000
_COLUMNS = (
    "connector_id, external_id, month, kind, description, occurred_at, quantity, unit, amount_minor, currency,"
    " category, status, raw, digest, seen_by, first_seen_at, changed_at, voided_at"
)


class CountingProvider(Provider):
    """So many records, made page by page, so that the provider's side costs neither memory nor much time."""

    name: ClassVar[str] = "counting"
    label: ClassVar[str] = "Counting"
    brings: ClassVar[str] = "numbers"
    credential_kind: ClassVar[CredentialKind] = CredentialKind.NONE

    def __init__(self, records: int, *, page_size: int = PAGE_SIZE, payload: int = 0) -> None:
        super().__init__(None, {})
        self._records, self._page_size, self._payload = records, page_size, payload

    def check(self) -> CheckResult:
        return CheckResult("numbers")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        start = int(cursor or 0)
        end = min(start + self._page_size, self._records)
        begun = month.starts_at()
        records = tuple(
            _record(number, begun + timedelta(seconds=number), self._payload) for number in range(start, end)
        )
        return RecordPage(records, str(end) if end < self._records else None)


def _record(number: int, occurred_at: object, payload: int) -> ProviderRecord:
    return ProviderRecord(
        external_id=f"r-{number:09d}",
        kind=RecordKind.USAGE,
        description=f"Compute {number}",
        occurred_at=occurred_at,  # type: ignore[arg-type]
        quantity=Decimal(number) / 4,
        unit="hour",
        amount_minor=number,
        currency="EUR",
        status="final",
        raw={"number": f"{number:0{payload}d}" if payload else number},
    )


@dataclass(frozen=True, slots=True)
class SyncSpeed:
    """Records a second, and what COPY does with the same rows."""

    records: int
    first: float
    again: float
    copied: float


def synced(connector: Connector, records: int, *, page_size: int = PAGE_SIZE, payload: int = 0) -> float:
    """Records a second of one whole sync of the month; `payload` is how many characters each carries beside."""
    (answer,) = sync_request(console_context(), connector_id=ConnectorId(connector.pk), month=MONTH)
    provider = CountingProvider(records, page_size=page_size, payload=payload)
    begun = time.perf_counter()
    run = sync_run_execute(SyncRunId(answer.run.pk), opened=lambda run: provider)
    seconds = time.perf_counter() - begun
    assert run is not None
    assert run.status == SyncStatus.SUCCEEDED, run.error
    return records / seconds


def measured(connector: Connector, records: int) -> SyncSpeed:
    """A first sync, one that finds nothing changed, and COPY of the rows that the first one left."""
    first, again = synced(connector, records), synced(connector, records)
    return SyncSpeed(records, first, again, _copied(connector, records))


def sides(records: int, add: Callable[[str, float], None]) -> dict[str, Callable[[float], float]]:
    """A sync of so many records whatever the seconds; `add` takes what COPY of the same rows reaches."""
    workspace = make_active_workspace()

    def measure(seconds: float) -> float:
        connector = make_connector(workspace)
        reached = synced(connector, records)
        add("sync copy", _copied(connector, records))
        return reached

    return {"sync": measure}


def line_of(speed: SyncSpeed) -> str:
    """The one line that a benchmark prints."""
    return (
        f"sync of {speed.records:,} records: {speed.first:,.0f} records/s new, {speed.again:,.0f} unchanged; "
        f"COPY {speed.copied:,.0f}; ratio new / COPY {speed.first / speed.copied:.2f}"
    )


def _copied(connector: Connector, records: int) -> float:
    """COPY into the same table with its indexes and constraints; the rows are then gone again."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT {_COLUMNS}"
            " FROM connectors_billingrecord WHERE connector_id = %s",
            [connector.pk],
        )
        cursor.execute("DELETE FROM connectors_billingrecord WHERE connector_id = %s", [connector.pk])
        with cursor.cursor.copy("COPY kept TO STDOUT") as outgoing:
            data = b"".join(bytes(part) for part in outgoing)
        begun = time.perf_counter()
        with cursor.cursor.copy(f"COPY connectors_billingrecord ({_COLUMNS}) FROM STDIN") as incoming:
            incoming.write(data)
        return records / (time.perf_counter() - begun)
