"""Google Sheets: rows of a sheet, page by page, in the month that each names (spec 06)."""

from __future__ import annotations

import re

import pytest
from pytest_django.fixtures import Settings

from apps.connectors.contracts import ProviderError
from tests.connectors.providers.stand_in import MONTH, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up

HEADERS = {
    "names": ["External_id", "occurred_at", "description", "quantity", "unit", "amount", "currency", "category", "kind"]
}
ROWS: dict[int, list[str]] = {
    2: ["r-1", "2026-04-01T00:00:00+00:00", "Calls", "12.5", "call", "3.005", "EUR", "regular", "usage"],
    3: ["r-2", "2026-03-31", "Another month", "1", "call"],
    4: ["", "", ""],
    5: ["r-3", "2026-04-30T23:59:59Z", "Free", "7", "call", "", "", "free"],
    1_900: ["r-4", "2026-04-11", "Far below"],
}
LAST_ROW = 2_500


def answer(asked: Asked) -> Reply:
    if asked.path.endswith(":batchGet"):
        first, last = map(int, re.findall(r"[A-Z]([0-9]+)", asked.query["ranges"].split("!")[1]))
        rows = [ROWS.get(number, []) for number in range(first, last + 1)]
        while rows and not rows[-1]:
            rows.pop()
        return reply({"valueRanges": [{"values": [HEADERS["names"]]}, {"values": rows} if rows else {}]})
    sheets = [{"properties": {"title": "Usage", "gridProperties": {"rowCount": LAST_ROW}}}]
    return reply({"properties": {"title": "April"}, "sheets": sheets})


STAND_IN = StandIn(
    provider="google_sheets",
    external_ids=("r-1", "r-3", "r-4"),
    answer=answer,
    base_setting="GOOGLE_API_BASE",
    settings=lambda _: {"spreadsheet_id": "1-a-spreadsheet-of-the-tests", "default_category": "regular"},
)


def test_what_a_row_says(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    first, free = STAND_IN.open(web.base).fetch_month(MONTH).records
    assert (first.amount_minor, first.currency, str(first.quantity), first.raw["row"]) == (301, "EUR", "12.5", 2)
    assert (free.amount_minor, free.currency, free.category) == (None, "", "free")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["r-9", "yesterday"], "Row 6: occurred_at must be a time such as"),
        (["r-9", "2026-04-03", "", "1e5"], "Row 6: quantity is no number"),
        (["r-9", "2026-04-03", "", "1", "call", "5"], "Row 6: an amount and its currency belong together"),
        (
            ["r-9", "2026-04-03", "", "1", "call", "", "", "lavish"],
            "Row 6: category is 'lavish'; use one of regular, free, internal",
        ),
    ],
)
def test_a_row_that_can_not_be_read_is_named(
    web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch, row: list[str], told: str
) -> None:
    monkeypatch.setitem(ROWS, 6, row)
    put_up(web, STAND_IN, settings)
    with pytest.raises(ProviderError, match=re.escape(told)) as caught:
        STAND_IN.open(web.base).fetch_month(MONTH)
    assert caught.value.is_permanent


def test_a_sheet_or_column_that_is_not_there_is_named(
    web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_up(web, STAND_IN, settings)
    provider = STAND_IN.open(web.base)
    monkeypatch.setitem(HEADERS, "names", ["id"])
    with pytest.raises(ProviderError, match="names no column external_id and no column occurred_at"):
        provider.fetch_month(MONTH)
    other = type(provider)(provider._secret, {**STAND_IN.settings(""), "sheet": "Summary"})
    with pytest.raises(ProviderError, match="has no sheet 'Summary'; it has Usage"):
        other.check()
