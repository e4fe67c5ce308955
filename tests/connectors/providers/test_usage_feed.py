"""The usage feed: paged JSON and CSV from an address that the tenant typed (spec 09, What usage_feed reads)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from apps.connectors.contracts import ProviderError
from apps.connectors.providers import usage_feed
from apps.connectors.providers.usage_feed import UsageFeedProvider
from tests.connectors.providers.stand_in import KEY, MONTH, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up


def record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "external_id": f"r-{number}",
        "occurred_at": "2026-04-03T10:00:00+02:00",
        "kind": "usage",
        "description": "Compute",
        "quantity": "1.5",
        "unit": "hour",
        "amount_minor": 1250,
        "currency": "EUR",
        "category": "regular",
        **changes,
    }


PAGES = {"": ([record(1), record(2)], "p2"), "p2": ([record(3, amount_minor=None, currency=None)], None)}
CSV_HEAD = "external_id,occurred_at,kind,description,quantity,unit,amount_minor,currency,category"


def csv_of(count: int) -> bytes:
    lines = [f'r-{n},2026-04-03T10:00:00Z,usage,"Compute, large",1.5,hour,1250,EUR,free' for n in range(1, count + 1)]
    return "\r\n".join([CSV_HEAD, *lines, ""]).encode()


def answer(asked: Asked) -> Reply:
    if asked.query.get("check") == "1":
        return 200, {}, b""
    if asked.query.get("month") != str(MONTH):
        return reply({"records": [], "next_cursor": None})
    records, following = PAGES[asked.query.get("cursor", "")]
    return reply({"records": records, "next_cursor": following})


STAND_IN = StandIn(
    provider="usage_feed",
    external_ids=("r-1", "r-2", "r-3"),
    answer=answer,
    settings=lambda base: {"base_url": f"{base}/feed"},
)


def feed(web: Web, **settings: Any) -> UsageFeedProvider:
    provider = STAND_IN.open(web.base)
    provider._settings = usage_feed.UsageFeedSettings(base_url=f"{web.base}/feed", **settings)
    assert isinstance(provider, UsageFeedProvider)
    return provider


def test_the_key_goes_into_the_header_of_the_settings(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    with pytest.raises(ProviderError):
        feed(web, header="X-Api-Key").check()
    assert web.asked[0].headers["x-api-key"] == KEY
    assert "authorization" not in web.asked[0].headers


@pytest.mark.parametrize(
    "changes",
    [
        {"external_id": ""},
        {"occurred_at": "2026-04-03T10:00:00"},
        {"occurred_at": 1_775_000_000},
        {"kind": "invoice"},
        {"quantity": 1.5},
        {"quantity": "1e9"},
        {"quantity": "NaN"},
        {"amount_minor": 12.5},
        {"amount_minor": "1250"},
        {"amount_minor": 10**30},
        {"currency": "eur"},
        {"currency": None},
        {"amount_minor": None},
        {"category": "gratis"},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_record_in_another_form_is_refused_with_its_field(
    web: Web, settings: Settings, changes: dict[str, Any]
) -> None:
    put_up(web, STAND_IN, settings)
    web.failing = reply({"records": [record(9, **changes)], "next_cursor": None})
    with pytest.raises(ProviderError) as caught:
        feed(web).fetch_month(MONTH)
    assert caught.value.is_permanent


def test_a_feed_that_goes_in_circles_is_stopped(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    web.failing = reply({"records": [record(1)], "next_cursor": "p2"})
    with pytest.raises(ProviderError, match="cursor"):
        feed(web).fetch_month(MONTH, "p2")


def test_a_csv_is_read_in_pieces(web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_feed, "_LINES_A_PAGE", 10)
    put_up(web, STAND_IN, settings)
    web.failing = (200, {}, b"\xef\xbb\xbf" + csv_of(25))
    provider, cursor, ids = feed(web, format="csv"), None, []
    while True:
        page = provider.fetch_month(MONTH, cursor)
        ids += [found.external_id for found in page.records]
        assert len(page.records) <= 10
        cursor = page.next_cursor
        if cursor is None:
            break
    assert ids == [f"r-{number}" for number in range(1, 26)]
    assert len(web.asked) == 1
    first = provider.fetch_month(MONTH).records[0]
    assert (first.description, first.amount_minor, first.category) == ("Compute, large", 1250, "free")


def test_a_csv_that_changed_is_read_from_its_beginning(
    web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_feed, "_LINES_A_PAGE", 10)
    put_up(web, STAND_IN, settings)
    web.failing = (200, {}, csv_of(25))
    cursor = feed(web, format="csv").fetch_month(MONTH).next_cursor
    web.failing = (200, {}, csv_of(26))
    page = feed(web, format="csv").fetch_month(MONTH, cursor)
    assert page.records[0].external_id == "r-1"


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", CSV_HEAD.encode() + b"\r\nr-1,2026", csv_of(1) + b"a,b,c,d,e,f,g,h,i,j\r\n", csv_of(1) + b'"open'],
)
def test_a_malformed_csv_is_refused(web: Web, settings: Settings, body: bytes) -> None:
    put_up(web, STAND_IN, settings)
    web.failing = (200, {}, body)
    with pytest.raises(ProviderError) as caught:
        feed(web, format="csv").fetch_month(MONTH)
    assert caught.value.is_permanent


@pytest.mark.parametrize(
    "values",
    [
        {"base_url": "http://feed.example/"},
        {"base_url": "https://169.254.169.254/"},
        {"base_url": "https://user:key@feed.example/"},
        {"base_url": "https://feed.example/", "header": "Host"},
        {"base_url": "https://feed.example/", "header": "X-Key\r\nX-Other"},
        {"base_url": "https://feed.example/", "format": "xml"},
        {},
    ],
    ids=str,
)
def test_settings_that_can_not_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        usage_feed.UsageFeedSettings.model_validate(values)
