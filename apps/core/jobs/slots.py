"""Slot arithmetic: which moments a job is due at. Pure, in UTC: no change of a clock skips or repeats a slot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.core.canonical import NotCanonicalError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOT_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Cadence:
    """Every `every`, `offset` after the whole multiples of it since 1970 in UTC. Both in whole minutes."""

    every: timedelta
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        minute = timedelta(minutes=1)
        if self.every < minute or self.every % minute or self.offset % minute:
            raise ValueError("A job's interval and offset are whole minutes, the interval at least one.")
        if not timedelta(0) <= self.offset < self.every:
            raise ValueError("A job's offset lies within its interval.")

    def slot_at(self, moment: datetime) -> datetime:
        """The slot that `moment` lies in: the latest one that began at or before it."""
        if moment.utcoffset() is None:
            raise NotCanonicalError(f"{moment!r} has no time zone, so it names no moment.")
        passed = moment.astimezone(UTC) - _EPOCH - self.offset
        return _EPOCH + self.offset + passed // self.every * self.every

    def slots_after(self, last: datetime, until: datetime) -> Iterator[datetime]:
        """The slots after `last` that began at or before `until`, oldest first."""
        slot = self.slot_at(last)
        if slot <= last:
            slot += self.every
        while slot <= until:
            yield slot
            slot += self.every


def due_slots(cadence: Cadence, *, catch_up: int, last: datetime | None, now: datetime) -> list[datetime]:
    """The slots to fire now, oldest first, when `last` is the latest slot that was fired.

    `catch_up` 0 skips what was missed: only the current slot is due. Else up to that many slots are due, oldest first;
    the rest follow at the next sweep, so that none is left out. A job that never ran begins with the current slot.
    """
    current = cadence.slot_at(now)
    if last is None:
        return [current]
    if last >= current:
        return []
    if catch_up == 0:
        return [current]
    # Taken one by one, as an outage of years must not build a list of years.
    missed = cadence.slots_after(last, current)
    return [slot for slot, _ in zip(missed, range(catch_up), strict=False)]


def slot_name(slot: datetime) -> str:
    """The slot as it is stored, such as `2026-04-03T10:05:00Z`."""
    return slot.astimezone(UTC).strftime(_SLOT_FORMAT)
