"""Which month a record belongs to: the asked one, or a neighbour a day away at most (spec 06, Month selection)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.connectors.contracts import Month
from apps.connectors.rules.months import MonthFrame

DAY, INSTANT = timedelta(days=1), timedelta.resolution
APRIL = Month(2026, 4)


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("UTC", "2026-04-01T00:00Z"),
        ("Pacific/Kiritimati", "2026-03-31T10:00Z"),
        ("Pacific/Pago_Pago", "2026-04-01T11:00Z"),
        ("Europe/Berlin", "2026-03-31T22:00Z"),
    ],
)
def test_a_record_lies_in_the_asked_month_or_a_day_beside_it(zone: str, begins: str) -> None:
    start, frame = datetime.fromisoformat(begins), MonthFrame.of(APRIL, ZoneInfo(zone))
    end = start + 30 * DAY
    for occurred_at, month in (
        (start - DAY - INSTANT, None),
        (start - DAY, Month(2026, 3)),
        (start - INSTANT, Month(2026, 3)),
        (start, APRIL),
        (end - INSTANT, APRIL),
        (end, Month(2026, 5)),
        (end + DAY - INSTANT, Month(2026, 5)),
        (end + DAY, None),
    ):
        assert frame.month_of(occurred_at) == month, occurred_at


def test_where_the_provider_has_a_calendar_of_its_own_every_record_is_of_the_asked_month() -> None:
    for occurred_at in (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, tzinfo=UTC)):
        assert MonthFrame.of(APRIL, None).month_of(occurred_at) == APRIL
