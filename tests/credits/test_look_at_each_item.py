"""A batch looks at each of its items some times, and never at each pair of them (spec 11, Speed, Batches)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from apps.credits.services import consumption as sent
from apps.credits.services import credits_consume_batch
from tests.credits.cast import consumption, make_place

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 120
_PLANS = ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on", "log_format = json")


def plans_of(statement: str, parameters: Sequence[object]) -> list[dict[str, Any]]:
    """Run the statement; the plans of all queries in it and in its functions, as they ran."""
    told: list[str] = []
    database = urlsplit(settings.DATABASE_URL)._replace(netloc="postgres@", path=f"/{connection.settings_dict['NAME']}")
    # Only a superuser may load what tells the plans of queries within functions.
    with psycopg.connect(database.geturl(), autocommit=True) as admin, psycopg.RawCursor(admin) as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for plan in _PLANS:
            cursor.execute(f"SET auto_explain.{plan}")
        cursor.execute("SET client_min_messages = log")
        admin.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        cursor.execute(statement.encode(), parameters)
        assert [row[1] for row in cursor.fetchall()] == ["charged"] * ITEMS
    return [json.loads(text.partition("plan:")[2])["Plan"] for text in told]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def looked_at(node: dict[str, Any]) -> float:
    """The rows that a step of a plan took from those below it, all its runs together."""
    removed = node.get("Rows Removed by Join Filter", 0) + node.get("Rows Removed by Filter", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


class NotedError(Exception):
    """The statement was noted, and not sent."""


def test_no_step_looks_at_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place(whole_credits=10_000)
    items = [consumption(place) for _ in range(ITEMS)]
    batches: list[tuple[str, Sequence[object]]] = []

    def note(*asked: Any) -> None:
        batches.append(asked)
        raise NotedError

    monkeypatch.setattr(sent, "fetch_all", note)
    with pytest.raises(NotedError):
        credits_consume_batch(place.context, consumptions=items)
    plans = plans_of(*batches[0])
    assert len(plans) >= 5  # of the statement, and of the queries in its functions
    most = max((node for plan in plans for node in nodes(plan)), key=looked_at)
    assert ITEMS <= looked_at(most) <= 2 * ITEMS, most
