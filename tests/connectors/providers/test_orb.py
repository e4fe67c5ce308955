"""Orb: invoices, then usage a subscription, day and metric (spec 06)."""

from __future__ import annotations

from typing import Any

from pytest_django.fixtures import Settings

from tests.connectors.providers.stand_in import MONTH, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up


def invoice(number: int, currency: str = "USD", total: str = "12.345") -> dict[str, Any]:
    return {
        "id": f"inv_{number}",
        "invoice_number": f"ORB-{number}",
        "invoice_date": "2026-04-03T00:00:00+00:00",
        "currency": currency,
        "total": total,
        "amount_due": "0.00",
        "status": "paid",
        "line_items": [{"id": "li", "quantity": 1.5, "amount": "1.00"}],
        "metadata": {"weight": 1.25},
    }


PAGES: dict[tuple[str, str], tuple[list[dict[str, Any]], str | None]] = {
    ("/v1/invoices", ""): ([invoice(1), invoice(2, "JPY", "900")], "c2"),
    ("/v1/invoices", "c2"): ([invoice(3, "credits", "40.5")], None),
    ("/v1/subscriptions", ""): ([{"id": "sub_a", "status": "active"}], "s2"),
    ("/v1/subscriptions", "s2"): ([{"id": "sub_b", "status": "ended"}], None),
}


def answer(asked: Asked) -> Reply:
    if asked.path == "/v1/ping":
        return reply({"response": "pong"})
    if asked.path.endswith("/usage"):
        return reply(usage(asked.path.split("/")[3]))
    found = PAGES.get((asked.path, asked.query.get("cursor", "")))
    if found is None:
        return reply({"status": 404}, 404)
    data, following = found
    return reply({"data": data, "pagination_metadata": {"has_more": following is not None, "next_cursor": following}})


def usage(subscription: str) -> dict[str, Any]:
    frames = [
        {
            "quantity": 7.25 + day,
            "timeframe_start": f"2026-04-0{day}T00:00:00+00:00",
            "timeframe_end": f"2026-04-0{day + 1}T00:00:00+00:00",
        }
        for day in (1, 2)
    ]
    metric = {"id": "met_1", "name": f"Calls of {subscription}"}
    return {"data": [{"billable_metric": metric, "usage": frames, "view_mode": "periodic"}]}


STAND_IN = StandIn(
    provider="orb",
    external_ids=(
        "inv_1",
        "inv_2",
        "inv_3",
        *(f"{name}/met_1/2026-04-0{day}" for name in ("sub_a", "sub_b") for day in (1, 2)),
    ),
    answer=answer,
    base_setting="ORB_API_BASE",
)


def test_amounts_are_rounded_once_to_the_currencys_minor_unit(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    provider = STAND_IN.open(web.base)
    first, second = provider.fetch_month(MONTH).records
    (third,) = provider.fetch_month(MONTH, "invoices:c2").records
    assert (first.amount_minor, first.currency) == (1_235, "USD")
    assert (second.amount_minor, second.currency) == (900, "JPY")
    assert (third.amount_minor, third.currency, str(third.quantity), third.unit) == (None, "", "40.5", "credits")


def test_quantities_keep_their_digits(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    records = STAND_IN.open(web.base).fetch_month(MONTH, "usage:").records
    assert [str(record.quantity) for record in records] == ["8.25", "9.25"]
