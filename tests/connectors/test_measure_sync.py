"""A sync's memory does not grow with its records, and its speed is told (issue 6, Volumes)."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from apps.connectors.contracts import Month, RecordPage
from apps.connectors.models import BillingRecord, Connector
from tests.benchmarks.sync_speed import CountingProvider, line_of, measured, synced
from tests.connectors.cast import make_active_workspace, make_connector
from tests.core.processes import started
from tests.sizes import size

FEW, MANY = size(small=1_000, full=20_000), size(small=4_000, full=200_000)
# Small, few records carry as much as many do in full size, on pages that are as much smaller.
PAGE, PAYLOAD = size(small=100, full=1_000), size(small=2_000, full=0)
# What two runs differ by that is not of their records; a page of a thousand records is about that large.
SLACK_KIB = 3_000
pytestmark = pytest.mark.django_db(transaction=True)


def growth(connector: Connector, records: int, path: Path) -> int:
    """How many KiB a process of its own has allocated at the most, while it syncs so many records."""

    def work() -> None:
        synced(connector, FEW, page_size=PAGE, payload=PAYLOAD)
        tracemalloc.start()
        synced(connector, records, page_size=PAGE, payload=PAYLOAD)
        path.write_text(str(tracemalloc.get_traced_memory()[1] // 1_024), encoding="ascii")

    process = started(work)
    process.join()
    assert process.exitcode == 0
    return int(path.read_text(encoding="ascii"))


def assert_constant(grown: list[int]) -> None:
    assert grown[1] <= grown[0] + SLACK_KIB, grown


@pytest.mark.prove("memory of a sync does not grow with its records", size=MANY, control="a hoarder is caught")
def test_memory_does_not_grow_with_the_records(tmp_path: Path) -> None:
    workspace = make_active_workspace()
    grown = [growth(make_connector(workspace), count, tmp_path / "kib") for count in (FEW, MANY)]
    assert_constant(grown)
    assert BillingRecord.objects.count() == FEW + MANY


@pytest.mark.slow
def test_a_sync_that_keeps_its_pages_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: every page is held until the end."""
    held: list[RecordPage] = []
    fetch = CountingProvider.fetch_month

    def hoarding(provider: CountingProvider, month: Month, cursor: str | None = None) -> RecordPage:
        held.append(fetch(provider, month, cursor))
        return held[-1]

    monkeypatch.setattr(CountingProvider, "fetch_month", hoarding)
    workspace = make_active_workspace()
    grown = [growth(make_connector(workspace), count, tmp_path / "kib") for count in (FEW, MANY)]
    with pytest.raises(AssertionError):
        assert_constant(grown)


def test_the_speed_is_told_beside_that_of_copy(record_property: object) -> None:
    speed = measured(make_connector(make_active_workspace()), FEW)
    assert BillingRecord.objects.count() == FEW
    record_property("figure", line_of(speed))  # type: ignore[operator]
