"""How often a secret may be guessed, and why so often. Pure: counts and a moment in, the wait out.

A try is counted before the secret is looked at, and given back when it was right. So tries that run at the same moment
can't pass together, and only failures stay counted.

Strangers are counted three ways: for the account from their address, for the account from everywhere, and for their
address over all accounts. A person whose browser has signed in before is counted for that browser alone, so that
nobody's failures but their own stop them (OWASP, "Slow down online guessing attacks with device cookies"; ASVS 5, 6.3).
A wait has an end that is told, and trying on does not put it off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class GuessKind(StrEnum):
    """What is guessed. Every place that checks the same secret shares its counts."""

    PASSWORD = "password"  # noqa: S105 - a name, not a secret; sign-ins of both planes, and the old password of a change
    CODE = "code"  # the second factor: one-time codes and recovery codes
    MAIL = "mail"  # asking for a mail with a link; every request counts, none is given back


class Counted(StrEnum):
    """What a count is kept for."""

    PAIR = "pair"  # the account, from this address
    ACCOUNT = "account"  # the account, from everywhere but its known browsers
    ADDRESS = "address"  # this address, over all accounts
    DEVICE = "device"  # the account, from this browser, where it has signed in before


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `tries` in a window that begins with the first of them."""

    counted: Counted
    tries: int
    window: timedelta

    @property
    def is_for_known_device(self) -> bool:
        """Whether the limit holds for browsers that have signed in before, instead of the others."""
        return self.counted is Counted.DEVICE


@dataclass(frozen=True, slots=True)
class Count:
    """The tries of the current window, and when it ends."""

    tries: int
    ends_at: datetime


_QUARTER, _HOUR, _DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

LIMITS: dict[GuessKind, tuple[Limit, ...]] = {
    GuessKind.PASSWORD: (
        # A person who mistypes needs three or four tries; 480 a day from one address find no password of 12 characters
        # that is on no list.
        Limit(Counted.PAIR, 5, _QUARTER),
        # Many addresses together. An hour at most, since strangers can bring this about; it takes four addresses.
        Limit(Counted.ACCOUNT, 20, _HOUR),
        # One address over many accounts. An office behind one address has some dozens of typing errors an hour.
        Limit(Counted.ADDRESS, 50, _HOUR),
        # Whoever holds a person's browser or its cookie, for a quarter of an hour and for a day.
        Limit(Counted.DEVICE, 10, _QUARTER),
        Limit(Counted.DEVICE, 50, _DAY),
    ),
    GuessKind.CODE: (
        # Three of a million codes are right at a time. Ten tries an hour by somebody who has the password come through
        # with a chance of 0.07 % a day.
        Limit(Counted.PAIR, 5, _QUARTER),
        Limit(Counted.ACCOUNT, 10, _HOUR),
        Limit(Counted.ADDRESS, 50, _HOUR),
        Limit(Counted.DEVICE, 10, _QUARTER),
        Limit(Counted.DEVICE, 50, _DAY),
    ),
    GuessKind.MAIL: (
        # Guards mailboxes from floods. Whoever is refused has mails already, and their links work.
        Limit(Counted.PAIR, 3, _QUARTER),
        Limit(Counted.ACCOUNT, 6, _HOUR),
        Limit(Counted.ADDRESS, 30, _HOUR),
        Limit(Counted.DEVICE, 6, _HOUR),
    ),
}


def limits_for(kind: GuessKind, *, is_known_device: bool) -> tuple[Limit, ...]:
    """The limits that hold for this caller with secrets of this kind."""
    return tuple(limit for limit in LIMITS[kind] if limit.is_for_known_device == is_known_device)


def seconds_to_wait(counts: Iterable[tuple[Limit, Count | None]], now: datetime) -> int:
    """0 when another try may be made; else the whole seconds until every limit lets it pass."""
    waits = [
        -(-(count.ends_at - now) // timedelta(seconds=1))
        for limit, count in counts
        if count is not None and count.ends_at > now and count.tries >= limit.tries
    ]
    return max(waits, default=0)


def count_try(limit: Limit, count: Count | None, now: datetime) -> Count:
    """The count with one more try; a window that is over begins anew."""
    if count is None or count.ends_at <= now or count.tries == 0:
        return Count(1, now + limit.window)
    return Count(count.tries + 1, count.ends_at)
