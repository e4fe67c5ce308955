"""`manage.py clock`: the test clock of a development (spec 08, Test clock)."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import clock
from apps.core.clock_shift import clock_advance, explain_missing_clock, read_shift
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import CountinghouseError
from apps.core.ids import RequestId
from apps.core.jobs.skipped import run_skipped
from apps.core.states import JobRunStatus

_LENGTH = re.compile(r"([1-9][0-9]{0,3})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_FURTHEST_AT_ONCE = timedelta(days=400)


class Command(BaseCommand):
    help = "Show the test clock, or put it forward and run the jobs of the time between. In development alone."

    def add_arguments(self, parser: CommandParser) -> None:
        wanted = parser.add_mutually_exclusive_group(required=True)
        wanted.add_argument("--show", action="store_true", help="say what time it is here")
        wanted.add_argument("--advance", metavar="15d", help="how far: minutes, hours or days, such as 90m, 36h, 15d")

    def handle(self, *_: Any, show: bool, advance: str | None, **__: Any) -> None:
        refusal = explain_missing_clock()
        if refusal:
            raise CommandError(refusal)
        if advance is not None:
            self._advance(read_length(advance))
        self._show()

    def _advance(self, by: timedelta) -> None:
        seen = read_shift().ahead
        since = clock.real_now() + seen
        context = system_context(
            AuthorizationSource.SCHEDULER, name="clock", request_id=RequestId(f"clock-{uuid.uuid4().hex}")
        )
        counts: Counter[str] = Counter()
        for run in run_skipped(context, since, since + by):
            counts[run.name] += 1
            if run.status != JobRunStatus.SUCCEEDED:
                self.stderr.write(f"{run.name} of {run.slot}: {run.error or run.status}")
        try:
            shift = clock_advance(by, seen=seen)
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        while clock.real_now() < shift.since:
            time.sleep(0.05)
        for name, count in sorted(counts.items()):
            self.stdout.write(f"  {name} {count}")

    def _show(self) -> None:
        ahead = read_shift().ahead
        moment = clock.real_now() + ahead
        words = f"{describe_length(ahead)} ahead of real time" if ahead else "real time"
        self.stdout.write(f"It is {moment:%-d %B %Y, %H:%M} UTC here: {words}.")


def read_length(text: str) -> timedelta:
    """The length of `15d`, `36h` or `90m`; raises `CommandError`."""
    match = _LENGTH.fullmatch(text)
    by = int(match[1]) * _UNITS[match[2]] if match else None
    if by is None or by > _FURTHEST_AT_ONCE:
        raise CommandError(f"{text!r} is no length. Write it like 90m, 36h or 15d, and at most 400d.")
    return by


def describe_length(length: timedelta) -> str:
    """The length in days, hours and minutes."""
    minutes = length // timedelta(minutes=1)
    parts = ((minutes // 1_440, "day"), (minutes % 1_440 // 60, "hour"), (minutes % 60, "minute"))
    return " ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in parts if count)
