"""`usage:query` answers every timeframe of its window, zeros too (spec 07, Usage; spec 09)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.core.amounts import MICRO
from apps.core.enums import Scope
from apps.credits.services import credits_consume, entry_reverse
from apps.reporting.rules.usage import add_up, plain, total
from apps.reporting.rules.windows import TimeWindow, timeframes
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization
from tests.contexts import console_context, product_context
from tests.credits.cast import Place, consumption, make_place
from tests.factories.tenants import make_token, make_workspace
from tests.reporting.lives import Life, at, begin_life, sync

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.fixture
def place() -> Place:
    with at(NOW - timedelta(days=120)):
        found = make_place(whole_credits=10_000)
        Organization.objects.filter(pk=found.organization.pk).update(time_zone="America/New_York")
    return found


def ask(place: Place, workspace_id: uuid.UUID, query: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
    with at(NOW):
        headers = {"authorization": f"Bearer {make_token(place.product, Scope.USAGE_READ)}"}
        path = f"/api/v1/internal/workspaces/{workspace_id}/usage:query{query}"
        if body is None:
            answer = Client().get(path, headers=headers)
        else:
            answer = Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
    return answer.status_code, json.loads(answer.content)


def use(place: Place, moment: datetime, *, recorded: datetime | None = None, **values: Any) -> uuid.UUID:
    with at(recorded or moment):
        answer = credits_consume(place.context, consumption=consumption(place, occurred_at=moment, **values))
    return uuid.UUID(str(answer.body["entry_id"]))


def row_of(answer: dict[str, Any], operation: str) -> dict[str, Any]:
    (row,) = [row for row in answer["data"] if row["operation"] == operation]
    return dict(row)


def nonzero(frames: list[dict[str, Any]], name: str = "quantity") -> dict[str, str]:
    return {frame["timeframe_start"]: frame[name] for frame in frames if frame[name] != "0"}


@pytest.mark.django_db
def test_days_weeks_and_months(place: Place) -> None:
    space = make_workspace(place.organization)
    # Clocks go back on 1 November at 06:00 UTC; the evening before is a day of its own in New York.
    use(place, datetime(2026, 11, 1, 3, 59, tzinfo=UTC), workspace_id=space.pk, operation="unit")
    use(place, datetime(2026, 11, 1, 4, 0, tzinfo=UTC), workspace_id=space.pk, operation="unit", quantity=3_500_000)
    use(place, datetime(2026, 11, 2, 4, 59, tzinfo=UTC), workspace_id=space.pk, operation="unit", quantity=10 * MICRO)
    use(place, datetime(2026, 11, 2, 5, 0, tzinfo=UTC), workspace_id=space.pk, operation="unit", quantity=100 * MICRO)
    # Of no workspace: counts to the organization, and in no workspace.
    use(place, datetime(2026, 11, 2, 5, 0, tzinfo=UTC), operation="unit", quantity=1_000 * MICRO)
    for is_rolled_up in (False, True):
        if is_rolled_up:
            with at(NOW):
                rollups_refresh(console_context())
        status, answer = ask(place, space.pk)
        assert (status, answer["time_window"], answer["time_zone"]) == (200, "lastMonth", "America/New_York")
        row = row_of(answer, "unit")
        assert (row["product"], row["unit"], row["connector"]) == ("red", "piece", None)
        assert nonzero(row["usage"]["regular"]) == {"2026-10-31": "1", "2026-11-01": "13.5", "2026-11-02": "100"}
        assert len(row["usage"]["free"]) == len(row["usage"]["internal"]) == len(row["usage"]["regular"]) == 30
        assert [frame["partial"] for frame in row["usage"]["regular"]] == [False] * 29 + [True]
        assert nonzero(row["charges"], "charge") == {"2026-10-31": "1", "2026-11-01": "13.5", "2026-11-02": "100"}
        weeks = row_of(ask(place, space.pk, body={"time_window": "lastSixMonths"})[1], "unit")["usage"]["regular"]
        assert nonzero(weeks) == {"2026-10-26": "14.5", "2026-11-02": "100"}
        assert len(weeks) == 26
        months = row_of(ask(place, space.pk, "?time_window=lastYear")[1], "unit")["usage"]["regular"]
        assert nonzero(months) == {"2026-10-01": "1", "2026-11-01": "113.5"}
        assert (months[-1]["timeframe_start"], months[-1]["timeframe_end"]) == ("2026-11-01", "2026-12-01")
        # Priced, never used: listed with zeros.
        assert nonzero(row_of(answer, "review")["usage"]["regular"]) == {}


@pytest.mark.django_db
def test_a_reversal_is_taken_off_the_day_of_its_charge_once_all_of_it_is_given_back(place: Place) -> None:
    space = make_workspace(place.organization)
    occurred = NOW - timedelta(days=9)
    whole = use(place, occurred, workspace_id=space.pk, operation="unit")
    part = use(place, occurred, workspace_id=space.pk, operation="unit", quantity=4 * MICRO)
    use(place, occurred, recorded=NOW - timedelta(days=2), workspace_id=space.pk, operation="unit")
    with at(NOW - timedelta(days=1)):
        entry_reverse(place.context, entry_id=whole, key="whole", reason="a failed run")
        entry_reverse(place.context, entry_id=part, key="part", reason="half of it failed", amount=2 * MICRO)
    row = row_of(ask(place, space.pk)[1], "unit")
    assert nonzero(row["usage"]["regular"]) == {"2026-10-24": "5"}
    assert nonzero(row["charges"], "charge") == {"2026-10-24": "5", "2026-10-31": "1", "2026-11-01": "-3"}


@pytest.mark.django_db
def test_of_anothers_operations_a_product_sees_none_and_of_another_workspace_nothing(place: Place) -> None:
    space, other = make_workspace(place.organization, "One"), make_workspace(place.organization, "Other")
    with at(NOW - timedelta(days=100)):
        blue = make_place("blue")
    shared = Place(blue.product, place.organization, product_context(blue.product))
    use(place, NOW - timedelta(days=1), workspace_id=other.pk, operation="unit")
    answer = ask(place, space.pk)[1]
    assert {row["product"] for row in answer["data"]} == {"red"}
    assert nonzero(row_of(answer, "unit")["usage"]["regular"]) == {}
    assert ask(shared, space.pk)[0] == 403
    assert ask(place, uuid.uuid4())[0] == 404


@pytest.mark.django_db
def test_connectors_with_their_quantities_and_each_currency_by_itself() -> None:
    life = begin_life(7, "Asia/Kathmandu", NOW)
    for hours in range(6):
        with at(NOW - timedelta(hours=hours)):
            sync(life)
    for is_rolled_up in (False, True):
        if is_rolled_up:
            with at(NOW):
                rollups_refresh(console_context())
        rows = [row for row in ask(life.place, life.workspaces[0].pk)[1]["data"] if row["connector"]]
        assert {row["connector"]["id"] for row in rows} == {str(life.connector.pk)}
        shown = {(row["unit"], category): row["usage"][category] for row in rows for category in row["usage"]}
        for (unit, category), frames in shown.items():
            assert len(frames) == 30
            assert nonzero(frames) == expected(life, unit, category)
        assert all({amount["currency"] for amount in row["amounts"]} <= {"EUR", "JPY"} for row in rows)


def expected(life: Life, unit: str, category: str) -> dict[str, str]:
    """From every record that stands."""
    from apps.connectors.models import BillingRecord  # noqa: PLC0415
    from apps.core.moments import zone_of  # noqa: PLC0415

    found: dict[str, Decimal] = {}
    for record in BillingRecord.objects.filter(connector=life.connector, voided_at=None, kind="usage", unit=unit):
        day = record.occurred_at.astimezone(zone_of("Asia/Kathmandu")).date()
        if record.category == category and day > date(2026, 10, 3):
            found[day.isoformat()] = found.get(day.isoformat(), Decimal(0)) + Decimal(record.quantity or 0)
    return {day: plain(quantity) for day, quantity in found.items() if quantity}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "body", "status", "word"),
    [
        ("?time_window=lastmonth", None, 400, "lastMonth"),
        ("?window=lastYear", None, 400, "time_window"),
        ("?time_window=lastYear&time_window=lastYear", None, 400, "once"),
        ("", {"time_window": None}, 400, "time_window"),
        ("", {"timeWindow": "lastYear"}, 400, "time_window"),
        ("", {"time_window": "lastWeek"}, 400, "lastYear"),
    ],
)
def test_what_is_no_window_is_refused_by_name(place: Place, query: str, body: Any, status: int, word: str) -> None:
    space = make_workspace(place.organization)
    found, answer = ask(place, space.pk, query, body)
    assert found == status
    assert word in json.dumps(answer)


def test_sums_are_exact_whatever_the_digits() -> None:
    frames = timeframes(TimeWindow.LAST_MONTH, date(2026, 11, 2))
    tiny, huge = Decimal("0.000000000000000000000000000001"), Decimal(10**24)
    sums = add_up(
        frames, [("a", date(2026, 11, 2), tiny), ("a", date(2026, 11, 2), huge), ("a", date(2026, 10, 4), tiny)]
    )
    assert plain(sums["a"][-1]) == "1000000000000000000000000.000000000000000000000000000001"
    assert (plain(total([huge, tiny, -huge])), plain(sums["a"][0])) == (plain(tiny), plain(tiny))
    assert [plain(Decimal(text)) for text in ("1.50", "-0.0", "100", "0", "1E+3")] == ["1.5", "0", "100", "0", "1000"]
