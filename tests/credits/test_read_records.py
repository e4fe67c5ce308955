"""What a product's support reads: balances, also of the past, grants, who paid what, receipts (spec 09, Credits)."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from apps.core import clock
from apps.core.amounts import MICRO, format_micro
from apps.core.wire.values import format_time
from apps.credits.models import CreditAccount, CreditEntry, Hold
from apps.credits.rules.months import free_month_end
from apps.credits.selectors.as_of import standing_at
from apps.credits.services import (
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    hold_release,
    overdraft_set,
)
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, look_at, make_place
from tests.factories.tenants import make_token
from tests.sent import statements

pytestmark = pytest.mark.django_db
START = datetime(2031, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Get = Callable[..., tuple[int, Any]]


@pytest.fixture
def place() -> Place:
    return make_place()


@pytest.fixture
def get(client: Client, place: Place) -> Get:
    headers = {"authorization": f"Bearer {make_token(place.product)}"}

    def ask(path: str, **query: str) -> tuple[int, Any]:
        answer = client.get(f"/api/v1/internal/{path}", query, headers=headers)
        return answer.status_code, json.loads(answer.content)

    return ask


def path_of(place: Place, what: str) -> str:
    return f"accounts/organization/{place.organization.pk}/{what}"


@pytest.mark.parametrize(
    ("at", "zone", "end"),
    [
        ("2026-04-03T10:00:00+00:00", "UTC", "2026-05-01T00:00:00+00:00"),
        ("2026-04-03T10:00:00+00:00", "Europe/Berlin", "2026-04-30T22:00:00+00:00"),
        ("2026-03-31T21:59:59+00:00", "Europe/Berlin", "2026-03-31T22:00:00+00:00"),
        ("2026-03-31T22:00:00+00:00", "Europe/Berlin", "2026-04-30T22:00:00+00:00"),
        ("2026-12-31T12:00:00+00:00", "Pacific/Auckland", "2027-01-31T11:00:00+00:00"),
        ("2026-12-31T12:00:00+00:00", "America/Los_Angeles", "2027-01-01T08:00:00+00:00"),
    ],
)
def test_the_free_month_ends_by_the_organizations_clock(at: str, zone: str, end: str) -> None:
    assert free_month_end(datetime.fromisoformat(at), ZoneInfo(zone)).isoformat() == end


def test_a_balance_tells_what_begins_later_and_when_the_free_month_ends(get: Get, place: Place) -> None:
    Organization.objects.filter(pk=place.organization.pk).update(time_zone="Europe/Berlin")
    ends, begins = clock.now() + HOUR, clock.now() + 2 * HOUR
    first, later = give(place, 5 * MICRO, expires_at=ends), give(place, 7 * MICRO, effective_at=begins)
    _, answer = get(path_of(place, "balance"))
    assert (answer["balance"], answer["free_month_ends_at"]) == (
        "5",
        format_time(free_month_end(clock.now(), ZoneInfo("Europe/Berlin"))),
    )
    (expiry,), (upcoming,) = answer["next_expiries"], answer["upcoming_grants"]
    assert (expiry["grant_id"], expiry["amount"], expiry["expires_at"]) == (str(first), "5", format_time(ends))
    assert (upcoming["grant_id"], upcoming["amount"], upcoming["effective_at"]) == (
        str(later),
        "7",
        format_time(begins),
    )


@pytest.mark.slow
def test_as_of_any_moment_the_account_stood_as_it_did_then(place: Place) -> None:
    """Thirty hours of grants, runs, holds and limits, an hour each; then every moment is asked for."""
    stood: dict[datetime, tuple[int, int, int]] = {}
    opened: list[Any] = []
    for hour in range(30):
        with clock.as_of(START + hour * HOUR):
            if hour % 7 == 0:
                give(place, 9 * MICRO)
            elif hour % 7 in {1, 2, 5}:
                credits_consume(place.context, consumption=consumption(place))
            elif hour % 7 == 3:
                asked = consumption(place, operation="unit").question
                answer: Any = credits_authorize(place.context, question=asked, hold_ttl=3 * HOUR, key=f"h-{hour}")
                opened.append(answer["hold"]["id"])
            elif hour % 14 == 4:
                hold_release(place.context, hold_id=opened.pop(), key=f"r-{hour}")
            elif hour % 7 == 6:
                overdraft_set(console_context(), account_id=place.organization.pk, limit=hour * MICRO, reason="so")
            look_at(place)
            account = place.account
            stood[START + hour * HOUR] = (account.balance, account.held, account.overdraft_limit)
    account = place.account
    for moment, (balance, held, limit) in stood.items():
        found = standing_at(account, moment + HOUR / 2)
        assert (found.balance, found.held, found.overdraft_limit) == (balance, held, limit), moment
    before = standing_at(account, START - HOUR)
    assert (before.balance, before.held) == (0, 0)


def test_the_past_costs_no_more_look_ups_the_longer_it_is(get: Get, place: Place) -> None:
    give(place, 100 * MICRO)
    account_id = place.organization.pk
    last, now = CreditEntry.objects.get(), clock.now()
    CreditEntry.objects.bulk_create(
        CreditEntry(
            account_id=account_id,
            sequence=number,
            kind="consumption",
            amount=0,
            balance_after=last.balance_after,
            actor_label="red",
            request_id="r",
            occurred_at=now,
            recorded_at=now + number * timedelta(seconds=1),
        )
        for number in range(2, 1_000)
    )
    CreditAccount.objects.filter(pk=account_id).update(last_sequence=999, burned_sequence=999)
    with statements() as sent:
        assert standing_at(place.account, now + timedelta(seconds=500)).balance == 100 * MICRO
    assert len(sent) <= 15


def test_a_moment_to_come_is_refused(get: Get, place: Place) -> None:
    status, problem = get(path_of(place, "balance"), at=format_time(clock.now() + HOUR))
    assert (status, problem["errors"][0]["code"]) == (422, "in_the_future")
    assert get(path_of(place, "balance"), at="yesterday")[0] == 400
    status, answer = get(path_of(place, "balance"), at=format_time(clock.now() - HOUR))
    assert (status, answer["balance"], answer["upcoming_grants"]) == (200, "0", [])


def test_who_paid_what_is_told_from_both_sides(get: Get, place: Place) -> None:
    first, second = give(place, MICRO), give(place, 10 * MICRO)
    answer = credits_consume(place.context, consumption=consumption(place))
    _, entry = get(f"entries/{answer.body['entry_id']}")
    assert [(paid["grant_id"], paid["amount"]) for paid in entry["paid_by"]] == [
        (str(first), "1"),
        (str(second), "1.5"),
    ]
    assert (entry["unpaid"], entry["given_back"], entry["own"]) == ("0", "0", True)
    for grant_id, amount in ((first, "1"), (second, "1.5")):
        _, page = get(f"grants/{grant_id}/burns")
        assert [(burn["amount"], burn["entry"]["id"]) for burn in page["items"]] == [(amount, entry["id"])]


def test_grants_come_page_by_page_with_what_is_left(get: Get, place: Place) -> None:
    given = [str(give(place, number * MICRO)) for number in range(1, 6)]
    later = str(give(place, 9 * MICRO, effective_at=clock.now() + HOUR))
    credits_consume(place.context, consumption=consumption(place))
    seen, cursor = [], None
    while True:
        _, page = get(path_of(place, "grants"), limit="2", **({"cursor": cursor} if cursor else {}))
        seen += [(item["id"], item["state"], item["remaining"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    left = [("spent", "0"), ("live", "0.5"), ("live", "3"), ("live", "4"), ("live", "5")]
    assert seen == [(later, "upcoming", "9"), *reversed([(key, *end) for key, end in zip(given, left, strict=True)])]


def test_open_holds_come_page_by_page_the_next_to_end_first(get: Get, place: Place) -> None:
    give(place, 100 * MICRO)
    for hours in (3, 1, 2):
        question = consumption(place, operation="unit", quantity=hours * MICRO).question
        credits_authorize(place.context, question=question, hold_ttl=hours * HOUR, key=f"h-{hours}")
    _, page = get(path_of(place, "holds"), limit="2")
    _, rest = get(path_of(place, "holds"), limit="2", cursor=page["next_cursor"])
    amounts = [item["amount"] for item in itertools.chain(page["items"], rest["items"])]
    assert (amounts, rest["next_cursor"]) == (["1", "2", "3"], None)
    with clock.as_of(clock.now() + HOUR + timedelta(minutes=1)):
        ended = Hold.objects.get(amount=MICRO)
        assert get(f"holds/{ended.pk}")[1]["status"] == "expired"


def test_a_receipt_says_why_and_what_is_different_today(get: Get, place: Place) -> None:
    answer: Any = credits_authorize(place.context, question=consumption(place).question)
    status, receipt = get(f"decisions/{answer['decision_id']}")
    assert (status, receipt["code"], receipt["explanation"][-1]["outcome"]) == (200, "insufficient_credits", "deny")
    assert (receipt["today"]["decision"], receipt["today"]["changes"]) == ("deny", [])
    give(place, 10 * MICRO)
    _, receipt = get(f"decisions/{answer['decision_id']}")
    assert receipt["today"]["decision"] == "allow"
    assert receipt["today"]["changes"][0] == "the answer was deny (insufficient_credits) and is allow (ok)"
    assert get(f"decisions/{place.organization.pk}")[0] == 404


def test_a_page_of_entries_sends_as_many_statements_whatever_its_size(get: Get, place: Place) -> None:
    give(place, 100 * MICRO)
    for _ in range(12):
        credits_consume(place.context, consumption=consumption(place))
    get(path_of(place, "entries"))  # the process remembers the token from here on
    counts = []
    for limit in ("2", "13"):
        look_at(place)
        with statements() as sent:
            _, page = get(path_of(place, "entries"), limit=limit)
        assert (len(page["items"]), page["items"][0]["amount"]) == (int(limit), format_micro(-2_500_000))
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_a_row_of_entries_takes_few_calls(place: Place, get: Get) -> None:
    """A tenth of a millisecond (spec 11, Speed) is 200 calls of functions, which no busy machine changes."""
    give(place, 1_000 * MICRO)
    for number in range(2):
        items = [consumption(place, f"run-{number}-{item}", run_id=f"run-{item}") for item in range(150)]
        credits_consume_batch(place.context, consumptions=items)

    def count(limit: int) -> int:
        calls = itertools.count()
        sys.setprofile(lambda frame, event, argument: next(calls) if event in {"call", "c_call"} else None)
        try:
            _, page = get(path_of(place, "entries"), limit=str(limit))
        finally:
            sys.setprofile(None)
        assert len(page["items"]) == limit
        return next(calls)

    count(1)  # the process remembers the token from here on
    assert (count(200) - count(1)) / 199 < 200
