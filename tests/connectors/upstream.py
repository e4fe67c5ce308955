"""A provider's side for the tests of syncs: months of records that change, in pages, with every way of going wrong.

It keeps nothing of a caller, as a real one: what it answers to a page follows from its state alone, which is in a file,
so that a process that is killed and the one after it speak to the same provider.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderError, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.models import BillingRecord, SyncRun
from apps.core.enums import UsageCategory

CURRENCIES = ("EUR", "USD", "JPY")


@dataclass
class Upstream:
    """What the provider has: for each month, records by id. `faults` is the chance of a call to fail."""

    months: dict[str, dict[str, int]] = field(default_factory=dict)
    page_size: int = 10
    faults: float = 0.0
    seed: int = 0

    def fill(self, month: str, count: int) -> None:
        """So many records in the month, each with an amount of its own."""
        self.months[month] = {f"{month}-{number:07d}": number * 7 + 1 for number in range(count)}

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.__dict__), encoding="utf-8")


class UpstreamProvider(Provider):
    """The provider as a worker sees it. Not in the registry: a test hands it to the engine."""

    name: ClassVar[str] = "upstream"
    label: ClassVar[str] = "Upstream"
    brings: ClassVar[str] = "records of a test"
    credential_kind: ClassVar[CredentialKind] = CredentialKind.NONE

    def __init__(self, state: Upstream, calls: list[str | None] | None = None) -> None:
        super().__init__(None, {})
        self.state = state
        self.calls = calls if calls is not None else []
        self._chance = random.Random()  # noqa: S311 - faults need not be secret

    def check(self) -> CheckResult:
        return CheckResult("a test")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        self.calls.append(cursor)
        self._fail()
        every = sorted(self.state.months.get(str(month), {}).items())
        start = int(cursor or 0)
        page = every[start : start + self.state.page_size]
        # Repeats the end of the page before, as feeds do that are paged by time.
        repeated = every[max(0, start - 2) : start] if self.state.faults else []
        records = tuple(record_of(str(month), external_id, figure) for external_id, figure in [*repeated, *page])
        end = start + self.state.page_size
        return RecordPage(records, str(end) if end < len(every) else None)

    def _fail(self) -> None:
        if self._chance.random() < self.state.faults:
            wish = timedelta(milliseconds=5) if self._chance.random() < 0.5 else None
            raise ProviderError("429: too many requests" if wish else "503: away", retry_after=wish)


def record_of(month: str, external_id: str, figure: int) -> ProviderRecord:
    """The record that the provider has under the id."""
    return ProviderRecord(
        external_id=external_id,
        kind=RecordKind.USAGE,
        description=f"Compute {external_id}",
        occurred_at=Month.read(month).starts_at() + timedelta(seconds=figure % 2_000_000),
        quantity=Decimal(figure) / 4,
        unit="hour",
        amount_minor=figure,
        currency=CURRENCIES[figure % len(CURRENCIES)],
        category=UsageCategory.REGULAR,
        status="final",
        raw={"figure": figure},
    )


def opened_from(path: Path) -> Any:
    """An opener that reads the provider's state from the file, whichever process asks."""

    def opened(run: SyncRun) -> Provider:
        return UpstreamProvider(Upstream(**json.loads(path.read_text(encoding="utf-8"))))

    return opened


def opened_on(state: Upstream, calls: list[str | None] | None = None) -> Any:
    """An opener of a provider in this process."""
    return lambda run: UpstreamProvider(state, calls)


def stored(connector_id: UUID, month: str) -> dict[str, int | None]:
    """What we have of the month, by id, as (once each, or this would not be a dictionary of that length)."""
    rows = BillingRecord.objects.filter(connector=connector_id, month=month, voided_at=None)
    found = list(rows.values_list("external_id", "amount_minor"))
    assert len(found) == len(dict(found)), "a record is there twice"
    return dict(found)


def counts_of(run: SyncRun) -> Mapping[str, int]:
    """The counts of a run by name."""
    return {name: getattr(run, name) for name in ("fetched", "created", "updated", "unchanged", "voided")}
