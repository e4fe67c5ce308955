"""The test clock: forward only, in development alone, and the jobs of the time between run in order (spec 08)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.core.clock import Follower, Shift
from apps.core.clock_shift import ANNOUNCED_BEFORE, clock_advance, explain_missing_clock, read_shift
from apps.core.errors import ConflictError
from apps.core.jobs import jobs
from apps.core.jobs.skipped import skipped_slots
from apps.core.management.commands.clock import describe_length, read_length
from apps.core.models import ClockShift, JobRun

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def development(settings: Any) -> Iterator[None]:
    """A development without keys, whose clock this process follows."""
    settings.ENVIRONMENT = "development"
    settings.WEBHOOK_SECRETS = {"stripe": [], "orb": []}
    for name in ("STRIPE_SECRET_KEY", "ORB_API_KEY", "SEGMENT_WRITE_KEY", "GOOGLE_CLIENT_ID"):
        setattr(settings, name, "")
    clock.follow(read_shift)
    yield
    clock.follow(None)


def test_a_shift_counts_from_its_moment_on() -> None:
    shift = Shift(ahead=3 * DAY, before=DAY, since=NOON)
    assert shift.at(NOON - timedelta(microseconds=1)) == DAY
    assert shift.at(NOON) == 3 * DAY


def test_a_process_looks_once_a_second_and_keeps_what_it_knows_when_it_can_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [0.0]
    monkeypatch.setattr("apps.core.clock.time.monotonic", lambda: ticks[0])
    looks: list[int] = []

    def read() -> Shift:
        looks.append(1)
        if len(looks) > 1:
            raise ConnectionError("away")
        return Shift(ahead=DAY)

    follower = Follower(read)
    assert [follower.ahead(NOON) for _ in range(3)] == [DAY] * 3
    assert len(looks) == 1
    ticks[0] = 1.0
    assert follower.ahead(NOON) == DAY
    assert len(looks) == 2
    assert timedelta(seconds=Follower.LOOKS_EVERY) < ANNOUNCED_BEFORE


def test_skipped_slots_come_in_order_and_each_once() -> None:
    slots = skipped_slots(jobs(), NOON, NOON + 15 * DAY)
    assert slots == sorted(slots, key=lambda pair: (pair[0], pair[1].name))
    assert len({(slot, job.name) for slot, job in slots}) == len(slots)
    assert all(NOON < slot <= NOON + 15 * DAY for slot, _ in slots)
    names = [job.name for _, job in slots]
    assert names.count("end-grace-periods") == 15
    # A night that is skipped is made up for by the last one, unless the job says otherwise.
    assert names.count("reset-demo") == 1
    assert names.count("reconcile-memberships") == 15
    assert {job.name for job in jobs()} == set(names)


@pytest.mark.parametrize(("span", "count"), [(timedelta(hours=3), 3), (timedelta(days=2), 8), (10 * DAY, 10)])
def test_short_jumps_are_told_more_finely(span: timedelta, count: int) -> None:
    names = [job.name for _, job in skipped_slots(jobs(), NOON, NOON + span)]
    assert names.count("end-grace-periods") == count


@pytest.mark.parametrize("text", ["", "15", "d", "-1d", "0d", "1.5d", "15 d", "401d", "15D", "\uff115d"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="no length"):
        read_length(text)


def test_lengths_are_read_and_told() -> None:
    assert [read_length(text) for text in ("90m", "36h", "15d")] == [
        timedelta(minutes=90),
        timedelta(hours=36),
        15 * DAY,
    ]
    assert describe_length(15 * DAY + timedelta(hours=1, minutes=2)) == "15 days 1 hour 2 minutes"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ENVIRONMENT", "production", "DJANGO_ENV=development alone"),
        ("ENVIRONMENT", "test", "DJANGO_ENV=development alone"),
        ("STRIPE_SECRET_KEY", "sk_test_1", "Unset STRIPE_SECRET_KEY"),
        ("ORB_API_KEY", "key", "Unset ORB_API_KEY"),
        ("SEGMENT_WRITE_KEY", "key", "Unset SEGMENT_WRITE_KEY"),
        ("WEBHOOK_SECRETS", {"stripe": ["whsec_1"], "orb": []}, "Unset STRIPE_WEBHOOK_SECRETS"),
    ],
)
@pytest.mark.django_db
def test_it_is_refused_elsewhere_and_changes_nothing(
    development: None, settings: Any, name: str, value: object, words: str
) -> None:
    assert explain_missing_clock() == ""
    setattr(settings, name, value)
    with pytest.raises(CommandError, match=words):
        call_command("clock", advance="15d")
    with pytest.raises(CommandError, match=words):
        call_command("clock", show=True)
    assert (ClockShift.objects.count(), JobRun.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_it_goes_forward_and_the_jobs_between_have_run(development: None) -> None:
    said = StringIO()
    before = clock.now()
    call_command("clock", advance="2h", stdout=said)
    assert "2 hours ahead of real time" in said.getvalue()
    assert clock.now() - before >= timedelta(hours=2)
    assert clock.real_now() - before < timedelta(minutes=5)
    runs = JobRun.objects.order_by("created_at")
    assert {run.status for run in runs} == {"succeeded"}
    slots = [run.slot_at for run in runs]
    assert slots == sorted(slot for slot in slots if slot is not None)
    assert before < min(slot for slot in slots if slot) <= max(slot for slot in slots if slot) <= clock.now()
    # Once more, from where it is.
    call_command("clock", advance="1h", stdout=said)
    assert read_shift().ahead == timedelta(hours=3)
    assert "3 hours ahead" in said.getvalue()
    assert JobRun.objects.count() == JobRun.objects.values("name", "slot").distinct().count()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_put_it_forward_at_once_one_is_refused() -> None:
    clock_advance(DAY, seen=timedelta(0))
    with pytest.raises(ConflictError):
        clock_advance(DAY, seen=timedelta(0))
    assert read_shift().ahead == DAY
