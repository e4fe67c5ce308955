"""A storm of debits: many threads of two processes at once, repeating keys, and the one check of its books."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

from django.db import connections

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer, IdempotencyKeyInFlightError
from apps.credits.models import CreditEntry
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.services import credits_consume, credits_consume_batch
from tests.core.threads import at_once
from tests.credits.cast import Place, consumption

THREADS = 16
PROCESSES = 2
BATCH = 20


class Ask(NamedTuple):
    """One whole credit of the account with this number, wanted under this key."""

    place: int
    key: str


class Word(NamedTuple):
    """How the request with this key ended, and the entry or the receipt that it was answered with."""

    key: str
    ended: str
    record: str


Form = Callable[[Sequence[Place], Sequence[Ask]], list[Word]]


def one_by_one(places: Sequence[Place], asks: Sequence[Ask]) -> list[Word]:
    """The product's consume; a key in flight is asked again, as its answer says."""
    return [_spent(places[ask.place], ask.key) for ask in asks]


def in_batches(places: Sequence[Place], asks: Sequence[Ask]) -> list[Word]:
    """The product's batch; items in flight go into the next one."""
    words, waiting = [], list(asks)
    while waiting:
        sent, waiting = waiting[:BATCH], waiting[BATCH:]
        items = [consumption(places[ask.place], ask.key, operation="unit") for ask in sent]
        for ask, result in zip(sent, credits_consume_batch(places[0].context, consumptions=items), strict=True):
            if isinstance(result, IdempotencyKeyInFlightError):
                waiting.append(ask)
            else:
                words.append(_word(ask.key, result))
    return words


def _spent(place: Place, key: str) -> Word:
    while True:
        try:
            return _word(key, credits_consume(place.context, consumption=consumption(place, key, operation="unit")))
        except IdempotencyKeyInFlightError:
            time.sleep(0.001)
        except CountinghouseError as error:
            return _word(key, error)


def _word(key: str, result: Answer | CountinghouseError) -> Word:
    if isinstance(result, CountinghouseError):
        return Word(key, result.problem_code, str(result.decision_id))
    return Word(key, "replayed" if result.replayed else "charged", str(result.body["entry_id"]))


def asks_for(demand: Sequence[int], *, repeats: int, seed: int) -> list[Ask]:
    """So many keys of each account, and so many repetitions of any of them, shuffled."""
    chance = random.Random(seed)  # noqa: S311 - it need not be secret, it must repeat
    first = [Ask(place, uuid.UUID(int=chance.getrandbits(128)).hex) for place, n in enumerate(demand) for _ in range(n)]
    asks = first + chance.choices(first, k=repeats)
    chance.shuffle(asks)
    return asks


def storm(places: Sequence[Place], asks: Sequence[Ask], forms: Sequence[Form]) -> list[Word]:
    """Ask all of it from 16 threads in each of 2 processes at once; the threads take the forms in turn."""
    connections.close_all()
    context = get_context("fork")
    results = context.SimpleQueue()
    shares = [asks[number::PROCESSES] for number in range(PROCESSES)]
    workers = [context.Process(target=_in_process, args=(places, share, forms, results)) for share in shares]
    for worker in workers:
        worker.start()
    words = [Word(*word) for _ in workers for word in results.get()]
    for worker in workers:
        worker.join()
    return words


def _in_process(places: Sequence[Place], asks: Sequence[Ask], forms: Sequence[Form], results: Any) -> None:
    words: list[Word] = []
    try:
        for result in at_once(THREADS, partial(_in_thread, places, asks, forms)):
            # What a thread raised is a word that no book can explain.
            words += result if isinstance(result, list) else [Word("", repr(result), "")]
    finally:
        results.put([tuple(word) for word in words])
        connections.close_all()


def _in_thread(places: Sequence[Place], asks: Sequence[Ask], forms: Sequence[Form], number: int) -> list[Word]:
    return forms[number % len(forms)](places, asks[number::THREADS])


def faults_of(places: Sequence[Place], asks: Sequence[Ask], words: Sequence[Word], means: Sequence[int]) -> list[str]:
    """What the storm did wrong: `means` is what each account could pay before it, in whole credits."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    records: dict[str, set[str]] = defaultdict(set)
    for word in words:
        answers[word.key][word.ended] += 1
        records[word.key].add(word.record)
    faults = [f"key {key}: {dict(counts)}" for key, counts in answers.items() if not _is_one_answer(counts)]
    faults += [f"key {key}: answered with {found}" for key, found in records.items() if len(found) != 1]
    demand = Counter(place for place, _ in {(ask.place, ask.key) for ask in asks})
    granted = Counter(place for place, key in {(ask.place, ask.key) for ask in asks} if answers[key]["charged"])
    faults += [
        f"account {number}: granted {granted[number]} of {demand[number]} with {able}"
        for number, able in enumerate(means)
        if granted[number] != min(demand[number], able)
    ]
    return faults + _faults_of_books(places, means, granted) + list(ledger_faults())


def _is_one_answer(counts: Counter[str]) -> bool:
    """Charged once and replayed from then on, or the same refusal each time."""
    return set(counts) == {"insufficient_credits"} or (
        counts["charged"] == 1 and set(counts) <= {"charged", "replayed"} and counts.total() >= 1
    )


def _faults_of_books(places: Sequence[Place], means: Sequence[int], granted: Counter[int]) -> list[str]:
    """Each account has one entry a grant, is lower by as much, and never was below its floor in between."""
    faults = []
    for number, place in enumerate(places):
        account = place.account
        entries = CreditEntry.objects.filter(account_id=account.pk, kind="consumption")
        floor = -account.overdraft_limit
        left = (account.balance - floor) // MICRO
        if entries.count() != granted[number] or left != means[number] - granted[number]:
            faults.append(f"account {number}: {entries.count()} entries, {left} left of {means[number]}")
        if entries.filter(balance_after__lt=floor).exists():
            faults.append(f"account {number}: it was below its floor")
    return faults
