"""Counts guesses in the database, over all processes, and refuses those above the limits of `guess_limits`.

Every place that checks a secret a person typed asks here first:

    with one_guess(request, GuessKind.PASSWORD, address):
        ...  # check; raise whatever says that it was wrong

A block that ends without an error gives the try back. Where a wrong secret is no error, use `begin_guess` and
`clear_failures`; where each request counts, as for mails, `begin_guess` alone. Unknown accounts are counted like known
ones, so that no answer tells which is which.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from apps.core import clock
from apps.core.errors import TooManyRequestsError
from apps.core.wire.client_address import client_address
from apps.tenants.guess_limits import (
    Count,
    Counted,
    GuessKind,
    Limit,
    count_try,
    limits_for,
    seconds_to_wait,
)
from apps.tenants.known_devices import device_for
from apps.tenants.models import GuessCount

log = structlog.get_logger(__name__)

# Each try that makes a row takes away some that are over, so that the table holds little beside what counts.
_SWEPT_AT_ONCE = 20
_KEPT_AFTER_END = timedelta(minutes=5)


class TooManyGuessesError(TooManyRequestsError):
    """The try was not made: the limits allow the next one after `retry_after_seconds`."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A try that was counted. `counts` are the rows that hold it, with the ends of their windows."""

    counts: tuple[tuple[Limit, str, datetime], ...]


@contextmanager
def one_guess(request: HttpRequest, kind: GuessKind, account: str) -> Iterator[None]:
    """Count a try, and give it back when the block ends without an error. Raises `TooManyGuessesError`."""
    guess = begin_guess(request, kind, account)
    yield
    clear_failures(guess)


def begin_guess(request: HttpRequest, kind: GuessKind, account: str) -> Guess:
    """Count a try before the secret is looked at. Raises `TooManyGuessesError` and counts nothing above a limit.

    `account` is the e-mail address, as typed or as stored. Call it outside of any transaction that may be rolled back.
    """
    now = clock.real_now()
    device = device_for(request, kind, account)
    limits = limits_for(kind, is_known_device=device is not None)
    address = client_address(request)
    # In one order everywhere, so that two tries never wait for one another's rows.
    keys = sorted((_key(kind, limit, account, address, device), limit) for limit in limits)
    with transaction.atomic():
        counts = _lock_counts([key for key, _ in keys], now)
        wait = seconds_to_wait(((limit, counts[key]) for key, limit in keys), now)
        if not wait:
            return Guess(tuple((limit, key, _count(key, limit, counts[key], now)) for key, limit in keys))
    log.warning("guesses_limited", kind=kind.value, is_known_device=device is not None, address=address, wait=wait)
    raise TooManyGuessesError(
        f"There were too many tries. Nothing was looked at; try again in {in_words(wait)}.", retry_after_seconds=wait
    )


def clear_failures(guess: Guess) -> None:
    """The secret was right: failures from here are forgotten, and this try counts nowhere else."""
    for limit, key, ends_at in guess.counts:
        counts = GuessCount.objects.filter(key=key, ends_at=ends_at)
        if limit.counted in {Counted.PAIR, Counted.DEVICE}:
            counts.update(tries=0)
        else:
            # Not forgotten: somebody who has an account must not clear the way for guesses at others.
            counts.update(tries=Greatest(F("tries") - 1, 0))


def in_words(seconds: int) -> str:
    """How long to wait, for people: seconds below two minutes, else minutes, rounded up."""
    if seconds < 120:  # noqa: PLR2004
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{-(-seconds // 60)} minutes"


def _lock_counts(keys: list[str], now: datetime) -> dict[str, Count]:
    fresh = [GuessCount(key=key, tries=0, ends_at=now) for key in keys]
    GuessCount.objects.bulk_create(fresh, ignore_conflicts=True)
    rows = GuessCount.objects.select_for_update().filter(key__in=keys).order_by("key")
    counts = {row.key: Count(row.tries, row.ends_at) for row in rows}
    if len(counts) < len(keys):
        # Swept between the two statements. What is locked by now stays.
        return _lock_counts(keys, now)
    if any(count.ends_at == now and count.tries == 0 for count in counts.values()):
        _sweep(now)
    return counts


def _count(key: str, limit: Limit, count: Count, now: datetime) -> datetime:
    counted = count_try(limit, count, now)
    GuessCount.objects.filter(key=key).update(tries=counted.tries, ends_at=counted.ends_at)
    return counted.ends_at


def _sweep(now: datetime) -> None:
    over = GuessCount.objects.filter(ends_at__lt=now - _KEPT_AFTER_END).order_by("ends_at")
    taken = over.select_for_update(skip_locked=True).values_list("key", flat=True)[:_SWEPT_AT_ONCE]
    GuessCount.objects.filter(key__in=list(taken)).delete()


def _key(kind: GuessKind, limit: Limit, account: str, address: str, device: str | None) -> str:
    """The name of the count, as a keyed hash: neither accounts nor what was mistyped can be read from the table."""
    person = account.strip().lower()
    parts = {
        Counted.PAIR: (person, address),
        Counted.ACCOUNT: (person,),
        Counted.ADDRESS: (address,),
        Counted.DEVICE: (person, device or ""),
    }[limit.counted]
    seconds = str(int(limit.window.total_seconds()))
    text = "\0".join((kind.value, limit.counted.value, seconds, *parts))
    return salted_hmac("apps.tenants.brute_force", text, algorithm="sha256").hexdigest()
