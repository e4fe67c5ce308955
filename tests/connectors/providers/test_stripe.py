"""Stripe: three lists, lines that do not fit, today's shapes (spec 06; spec 12)."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.connectors.providers.stand_in import MONTH, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up

CREATED = int(MONTH.starts_at().timestamp()) + 3_600


def line(number: int, of: str) -> dict[str, Any]:
    return {
        "id": f"il_{of}_{number}",
        "object": "line_item",
        "amount": 500 + number,
        "currency": "usd",
        "description": f"Seat {number}",
        "quantity": 2,
        "quantity_decimal": None,
        "taxes": None,
    }


def invoice(number: int) -> dict[str, Any]:
    of = f"in_{number:03d}"
    # The first invoice has more lines than come with it.
    return {
        "id": of,
        "object": "invoice",
        "created": CREATED + number,
        "currency": "usd",
        "number": f"N-{number}",
        "status": "paid",
        "total": 1_000 + number,
        "total_excluding_tax": None,
        "lines": {"object": "list", "data": [line(1, of)], "has_more": number == 0, "url": "/"},
    }


INVOICES = [invoice(number) for number in range(130)]
NOTES = [
    {"id": "cn_1", "object": "credit_note", "created": CREATED, "currency": "eur", "number": "CN-1", "total": 300}
    | {"amount": 300, "status": "issued", "lines": {"object": "list", "data": [], "has_more": False}}
]
REFUNDS = [
    {"id": "re_1", "object": "refund", "created": CREATED, "currency": "jpy", "amount": 900, "status": "succeeded"}
    | {"reason": "duplicate"}
]
LISTS: dict[str, list[dict[str, Any]]] = {
    "/v1/invoices": INVOICES,
    "/v1/credit_notes": NOTES,
    "/v1/refunds": REFUNDS,
    "/v1/invoices/in_000/lines": [line(number, "in_000") for number in range(1, 5)],
}


def answer(asked: Asked) -> Reply:
    if asked.path not in LISTS or asked.headers.get("stripe-version") != "2026-10-28.endive":
        return reply({"error": {"message": "unexpected"}}, 404)
    rows, after = LISTS[asked.path], asked.query.get("starting_after")
    if "created[gte]" in asked.query:
        bounds = range(int(asked.query["created[gte]"]), int(asked.query["created[lt]"]))
        rows = [row for row in rows if row["created"] in bounds]
    start = next((place + 1 for place, row in enumerate(rows) if row["id"] == after), 0)
    limit = int(asked.query["limit"])
    page = rows[start : start + limit]
    return reply({"object": "list", "data": page, "has_more": start + limit < len(rows), "url": asked.path})


def expected_ids() -> tuple[str, ...]:
    ids = []
    for row in INVOICES:
        ids.append(row["id"])
        lines = range(1, 5) if row["id"] == "in_000" else range(1, 2)
        ids.extend(f"{row['id']}/il_{row['id']}_{number}" for number in lines)
    return (*ids, "cn_1", "re_1")


STAND_IN = StandIn(provider="stripe", external_ids=expected_ids(), answer=answer, base_setting="STRIPE_API_BASE")


@pytest.fixture
def _up(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)


@pytest.mark.usefixtures("_up")
def test_what_is_given_back_is_negative(web: Web) -> None:
    provider = STAND_IN.open(web.base)
    (note,) = provider.fetch_month(MONTH, "credit_notes:").records
    (refund,) = provider.fetch_month(MONTH, "refunds:").records
    assert (note.amount_minor, note.currency, note.kind) == (-300, "EUR", "credit_note")
    assert (refund.amount_minor, refund.currency, refund.description) == (-900, "JPY", "Refund (duplicate)")


@pytest.mark.usefixtures("_up")
def test_a_line_has_its_invoices_time_and_status(web: Web) -> None:
    first, its_line, *_ = STAND_IN.open(web.base).fetch_month(MONTH).records
    assert (its_line.occurred_at, its_line.status) == (first.occurred_at, "paid")
    assert (its_line.kind, its_line.amount_minor, str(its_line.quantity)) == ("line", 501, "2")


@pytest.mark.usefixtures("_up")
def test_another_month_has_other_objects(web: Web) -> None:
    page = STAND_IN.open(web.base).fetch_month(MONTH.shifted(1))
    assert page.records == ()
    assert page.next_cursor == "credit_notes:"
