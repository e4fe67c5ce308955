"""Sixteen writers at one workspace: one current row always, one winner, losers told, one audit entry a change."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest
from django.db import connection

from apps.core.audit import verify_audit
from apps.core.errors import ConflictError
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import Lock, SetManual, SubscriptionChange, WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.rules.transitions import legal_verbs
from apps.subscriptions.services import change_steps, payment_config_change, subscription_change
from apps.tenants.models import Workspace
from tests.contexts import staff_context
from tests.sizes import size
from tests.subscriptions.cast import (
    REASON,
    chance_of,
    close_connection,
    every_change,
    make_place,
    make_plan,
    version_of,
)

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, SEED = 16, 16
SERVICE = "apps.subscriptions.services.subscriptions"

RACES = size(small=50, full=2_000)


@dataclass(frozen=True, slots=True)
class Race:
    """What came of one race."""

    outcomes: Counter[str]
    new_entries: int
    rows: int
    version: int


@pytest.fixture
def writers() -> Iterator[ThreadPoolExecutor]:
    """Sixteen threads with a connection each, which all of them close at the end."""
    pool = ThreadPoolExecutor(WRITERS)
    yield pool
    barrier = threading.Barrier(WRITERS)

    def leave() -> None:
        close_connection()
        barrier.wait(timeout=30)

    list(pool.map(lambda _: leave(), range(WRITERS)))
    pool.shutdown()


def run_together(writers: ThreadPoolExecutor, attempts: Sequence[Callable[[], object]]) -> Counter[str]:
    """Start every attempt at the same moment; count what they came to."""
    barrier = threading.Barrier(len(attempts))

    def attempt(action: Callable[[], object]) -> str:
        connection.ensure_connection()
        barrier.wait(timeout=30)
        try:
            action()
        except ConflictError as refusal:
            told = refusal.problem_code == "version_conflict" and refusal.explanation
            return "told" if told else refusal.problem_code
        except Exception as error:  # noqa: BLE001 - the control's breakage is what is counted
            return type(error).__name__
        return "won"

    return Counter(writers.map(attempt, attempts))


def race(writers: ThreadPoolExecutor, place: WorkspacePlace, chance: random.Random, plan_id: PlanId) -> Race:
    """All sixteen have seen the same version; each wants a change that is legal from there."""
    record = WorkspaceSubscription.objects.filter(workspace=place.workspace_id).first()
    state = SubscriptionState(record.state) if record else None
    changes = every_change(plan_id)
    moving = [changes[row.verb] for row in legal_verbs(state) if row.target is not None]
    seen = version_of(place.workspace_id)
    entries = AuditEntry.objects.filter(organization_id=place.organization_id)
    count = entries.count()

    def write(change: SubscriptionChange) -> None:
        subscription_change(
            staff_context(), workspace_id=place.workspace_id, change=change, reason=REASON, expected_version=seen
        )

    outcomes = run_together(writers, [partial(write, chance.choice(moving)) for _ in range(WRITERS)])
    rows = WorkspaceSubscription.objects.filter(workspace=place.workspace_id).count()
    return Race(outcomes, entries.count() - count, rows, version_of(place.workspace_id) - seen)


@pytest.mark.prove(
    "races of 16 writers on one workspace: one wins, the others are told",
    size=RACES,
    control="writers without locks are caught",
)
def test_of_sixteen_writers_one_wins_and_the_others_are_told(writers: ThreadPoolExecutor) -> None:
    chance, plan_id, place = chance_of(SEED), PlanId(make_plan().pk), make_place()
    for number in range(RACES):
        if number % 10 == 0:
            place = make_place()  # the race for the first record is a race of its own
        outcome = race(writers, place, chance, plan_id)
        assert outcome == Race(Counter({"won": 1, "told": WRITERS - 1}), new_entries=1, rows=1, version=1)
    assert all(report.is_sound for report in verify_audit())


def test_writers_without_locks_are_caught(writers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(workspace_id: UUID) -> WorkspaceSubscription | None:
        record = WorkspaceSubscription.objects.filter(workspace=workspace_id).first()
        time.sleep(0.02)
        return record

    monkeypatch.setattr(f"{SERVICE}.workspace_subscription_for_update", unlocked)
    monkeypatch.setattr(
        change_steps, "workspace_for_update", lambda workspace_id: Workspace.objects.get(pk=workspace_id)
    )
    chance, plan_id, place = chance_of(SEED), PlanId(make_plan().pk), make_place()
    right = Race(Counter({"won": 1, "told": WRITERS - 1}), new_entries=1, rows=1, version=1)
    assert any(race(writers, place, chance, plan_id) != right for _ in range(5))


def payment_race(writers: ThreadPoolExecutor, place: WorkspacePlace) -> tuple[Counter[str], int]:
    def write(change: Lock | SetManual) -> None:
        payment_config_change(
            staff_context(), organization_id=place.organization_id, change=change, reason=REASON, expected_version=1
        )

    attempts = [partial(write, change) for change in (Lock(), SetManual()) for _ in range(WRITERS // 2)]
    outcomes = run_together(writers, attempts)
    changed = AuditEntry.objects.filter(organization_id=place.organization_id, before__has_key="payment_status")
    return outcomes, changed.count()


@pytest.mark.slow
def test_of_sixteen_writers_at_a_payment_config_one_wins(writers: ThreadPoolExecutor) -> None:
    for _ in range(size(small=10, full=200)):
        place = make_place()
        outcomes, entries = payment_race(writers, place)
        assert (outcomes["won"], outcomes["version_conflict"], entries) == (1, WRITERS - 1, 1)
        assert OrganizationPaymentConfig.objects.get(organization=place.organization_id).version == 2


@pytest.mark.slow
def test_payment_writers_without_a_lock_are_caught(
    writers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlocked(organization_id: UUID) -> OrganizationPaymentConfig | None:
        config = OrganizationPaymentConfig.objects.filter(organization=organization_id).first()
        time.sleep(0.02)
        return config

    monkeypatch.setattr("apps.subscriptions.services.payment_configs.payment_config_for_update", unlocked)
    found = [payment_race(writers, make_place()) for _ in range(3)]
    assert any((outcomes["won"], entries) != (1, 1) for outcomes, entries in found)
