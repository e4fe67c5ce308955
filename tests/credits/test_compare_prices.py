"""The price preview of a draft is equal to the pricing of each use by itself (spec 05, Policy)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from apps.core import clock
from apps.core.amounts import MICRO, NumberOutOfRangeError
from apps.credits.models import CreditAccount, CreditEntry, CreditPolicy
from apps.credits.rules.months import free_month
from apps.credits.rules.price_preview import Compared, Place, PricePreview, PriceReplay, UseGroup
from apps.credits.rules.pricing import PolicyTerms, Price, charge_for
from apps.credits.selectors import price_preview as selector
from apps.credits.selectors.policies import policy_terms
from apps.credits.selectors.price_preview import PreviewWindow, price_preview, window_of
from apps.credits.services import credits_consume
from tests.credits.cast import PRICES, consumption, make_place
from tests.factories.tenants import make_organization, make_product
from tests.sizes import size

# As the draft of these tests prices: most prices of the cast, one of them gone, and one that costs too much.
DRAFT = {price.operation: price for price in PRICES if price.operation != "unit"} | {
    "fix_run": Price("fix_run", "run", 3_000_000, free_quantity=7 * MICRO, quantum=500_000),
    "huge": Price("huge", "run", 10**15),
    # The smallest part of a unit costs something, and what is free decides whether the rest can be charged at all.
    "vast": Price("vast", "run", 10**15, free_quantity=30 * MICRO),
}
ZONES = ("UTC", "Pacific/Kiritimati", "America/New_York")


def price_one_by_one(
    uses: Iterable[tuple[uuid.UUID, str, date, bool, int, int, bool]], prices: dict[str, Price]
) -> PricePreview:
    """The pricing rule for each use by itself: account, operation, month, billed, quantity, charged, counted."""
    preview, used, accounts = PricePreview(), dict[Place, int](), dict[uuid.UUID, Compared]()
    for account_id, operation, month, is_billed, quantity, charged, is_counted in uses:
        price, would_charge, is_too_large = prices.get(operation), 0, False
        if price is not None and is_billed:
            place = Place(account_id, operation, month)
            left = max(price.free_quantity - used.get(place, 0), 0)
            used[place] = used.get(place, 0) + min(left, quantity)
            try:
                would_charge = charge_for(price, quantity, free_left=left)
            except NumberOutOfRangeError:
                is_too_large = True
        if not is_counted:
            continue
        if price is None:
            preview.unpriced[operation] = preview.unpriced.get(operation, 0) + 1
        preview.too_large += is_too_large
        for compared in (
            preview.total,
            preview.operations.setdefault(operation, Compared()),
            accounts.setdefault(account_id, Compared()),
        ):
            compared.add(charged, would_charge, 1)
    changed = [(key, compared) for key, compared in accounts.items() if compared.difference]
    preview.changed_accounts = len(changed)
    preview.accounts = sorted(changed, key=lambda row: (-abs(row[1].difference), row[0]))[:10]
    return preview


@pytest.mark.parametrize("seed", range(40))
def test_groups_are_priced_as_their_uses_one_by_one(seed: int) -> None:
    """In pieces of any size, with any part of the charges known before, and with accounts whose uses are all alike."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    accounts = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(5)]
    sizes = [MICRO] if seed % 3 == 0 else [MICRO, 3 * MICRO, 2_500_001, 40 * MICRO]
    uses = [
        (
            chance.choice(accounts),
            chance.choice(["fix_run", "scan", "review", "unit", "huge", "vast"]),
            date(2026, chance.choice([5, 6]), 1),
            chance.random() > 0.2,
            chance.choice(sizes) * (1_000_000 if chance.random() < 0.01 else 1),
            chance.randint(0, 9 * MICRO),
            place >= 60,
        )
        for place in range(300)
    ]
    replay = PriceReplay(DRAFT)
    for account_id, operation, month, is_billed, quantity, _, is_counted in uses:
        if not is_counted and is_billed and operation in DRAFT and DRAFT[operation].free_quantity:
            replay.use_up(Place(account_id, operation, month), quantity)
    counted = [use for use in uses if use[-1]]
    step, in_some_order = chance.choice([1, 7, 60, 300]), chance.choice([in_order, all_in_order])
    for begin in range(0, len(counted), step):
        piece = counted[begin : begin + step]
        known = {(name, quantity): charge for name, quantity, charge in replay.known_charges(chance.choice([0, 2, 99]))}
        replay.add(grouped(piece, known), partial(in_some_order, piece))
    assert replay.result() == price_one_by_one(uses, DRAFT)


def grouped(piece: list[Any], known: dict[tuple[str, int], int]) -> list[UseGroup]:
    """What the statement makes of a piece."""
    found: dict[Any, list[Any]] = {}
    for account_id, operation, month, is_billed, quantity, charged, _ in piece:
        billed = is_billed and operation in DRAFT
        has_free = billed and DRAFT[operation].free_quantity > 0
        shown = quantity if billed and (operation, quantity) not in known else None
        found.setdefault((account_id, operation, month if has_free else None, billed, shown), []).append(
            (quantity, charged, known.get((operation, quantity), 0) if billed else 0)
        )
    return [
        UseGroup._make(
            [
                *key,
                len(lines),
                sum(charged for _, charged, _ in lines),
                sum(quantity for quantity, _, _ in lines),
                min(quantity for quantity, _, _ in lines),
                max(quantity for quantity, _, _ in lines),
                sum(charge for _, _, charge in lines),
            ]
        )
        for key, lines in found.items()
    ]


def in_order(piece: list[Any], places: Mapping[Place, int]) -> list[tuple[Place, int]]:
    """What the statement gives: the uses that the free quantity of their place reaches."""
    found, left = [], dict(places)
    for use in piece:
        place = Place(*use[:3])
        if use[3] and left.get(place, 0) > 0:
            found.append((place, use[4]))
            left[place] -= use[4]
    return found


def all_in_order(piece: list[Any], places: Mapping[Place, int]) -> list[tuple[Place, int]]:
    """The same without an end: what comes after the free quantity is given as well."""
    return [(Place(*use[:3]), use[4]) for use in piece if use[3] and Place(*use[:3]) in places]


def write_ledger(product_id: uuid.UUID, now: datetime, chance: random.Random, lines: int) -> list[CreditEntry]:
    """Random entries of the last 75 days in accounts of several zones, as the ledger may hold them."""
    accounts = []
    for number in range(6):
        organization = make_organization(time_zone=ZONES[number % 3], is_demo=number == 5)
        accounts.append(CreditAccount.objects.select_related("organization").get(pk=organization.pk))
    places = dict.fromkeys((account.pk for account in accounts), 0)
    entries = []
    for recorded_at in sorted(now - timedelta(days=75) * chance.random() for _ in range(lines)):
        account = chance.choice(accounts)
        places[account.pk] += 1
        entry = random_entry(account, recorded_at, chance)
        entry.sequence, entry.product_id = places[account.pk], product_id if chance.random() < 0.9 else uuid.uuid4()
        entries.append(entry)
    return CreditEntry.objects.bulk_create(entries)


def random_entry(account: CreditAccount, recorded_at: datetime, chance: random.Random) -> CreditEntry:
    quantity = chance.choice([MICRO, MICRO, 2 * MICRO, 2_500_001, 30 * MICRO])
    free = chance.choice([0, 0, quantity])
    occurred_at = recorded_at - timedelta(days=45 * chance.random() if chance.random() < 0.1 else 0)
    category = chance.choice(["regular", "regular", "regular", "internal"])
    is_billable = chance.random() < 0.9
    charged = chance.randint(0, 5 * MICRO) if category == "regular" and is_billable and not free else 0
    local = {"local_charge": 1, "shadow_charge": 2} if charged == 0 and chance.random() < 0.1 else {}
    month = free_month(occurred_at, recorded_at, ZoneInfo(account.organization.time_zone))[0]
    return CreditEntry(
        account=account,
        kind=chance.choice(["consumption", "consumption", "capture"]),
        amount=-charged,
        balance_after=0,
        operation=chance.choice(["fix_run", "scan", "review", "unit", "huge"]),
        quantity=quantity,
        free_quantity=free,
        free_month=month if free else None,
        outcome=chance.choice(["succeeded", "succeeded", "succeeded", "partial", "failed"]),
        category=category,
        is_billable=is_billable,
        actor_label="test",
        request_id="test",
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        **local,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(size(small=4, full=60)))
def test_the_ledger_in_groups_is_priced_as_entry_by_entry(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, now = random.Random(seed), clock.now()  # noqa: S311 - not for secrets
    monkeypatch.setattr(selector, "_PIECE", timedelta(days=chance.choice([1, 5, 11])))
    monkeypatch.setattr(selector, "_MOST_CHARGES", chance.choice([0, 3, 20_000]))
    product = make_product()
    entries = write_ledger(product.pk, now, chance, lines=600)
    window = window_of(now - timedelta(days=30), now)
    preview = price_preview(PolicyTerms(uuid.uuid4(), product.pk, 1, now, DRAFT), window)
    seen = [
        entry
        for entry in entries
        if entry.product_id == product.pk
        and window.begins <= entry.recorded_at < window.until
        and not entry.account.organization.is_demo
    ]
    counted = [entry for entry in seen if entry.local_charge is None]
    expected = price_one_by_one((as_use(entry, window) for entry in counted), DRAFT)
    expected.left_out = sum(entry.recorded_at >= window.since for entry in seen) - expected.total.lines
    assert preview == expected
    assert preview.total.lines > 100
    assert preview.left_out
    assert preview.unpriced
    assert msgspec.convert(msgspec.to_builtins(preview), PricePreview) == preview


def as_use(entry: CreditEntry, window: PreviewWindow) -> tuple[uuid.UUID, str, date, bool, int, int, bool]:
    zone = ZoneInfo(entry.account.organization.time_zone)
    price = DRAFT.get(entry.operation)
    is_regular = entry.category == "regular" or entry.free_quantity > 0
    return (
        entry.account_id,
        entry.operation,
        entry.free_month or free_month(entry.occurred_at, entry.recorded_at, zone)[0],
        price is not None and is_regular and price.bills(entry.outcome),
        entry.quantity,
        -entry.amount,
        entry.recorded_at >= window.since,
    )


@pytest.mark.django_db
def test_the_prices_in_force_would_have_charged_the_same() -> None:
    place = make_place(whole_credits=50_000)
    for number in range(15):
        operation, quantity = ("fix_run", "scan", "review")[number % 3], (7 + 40 * number) * MICRO
        credits_consume(place.context, consumption=consumption(place, operation=operation, quantity=quantity))
    now = clock.now()
    preview = price_preview(policy_terms(CreditPolicy.objects.get()), window_of(now - timedelta(days=30), now))
    assert (preview.total.lines, preview.total.difference) == (15, 0)


@pytest.mark.parametrize("since", ["2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z", "2024-02-29T00:00:00Z"])
def test_pieces_cover_the_window_and_the_month_before_it_without_a_gap(since: str) -> None:
    began = datetime.fromisoformat(since)
    window = window_of(began, began + timedelta(days=30, hours=5))
    pieces = list(window.pieces())
    assert pieces[0][0] == window.begins <= began.replace(day=1) - timedelta(hours=14) + timedelta(days=30)
    assert pieces[-1][1] == window.until
    assert [end for _, end, _ in pieces[:-1]] == [begin for begin, _, _ in pieces[1:]]
    assert [begin >= began for begin, _, _ in pieces] == [counts for _, _, counts in pieces]
    assert window.days_until(window.until) == window.days
