"""History: as-of now equals the resolver, as-of then equals what was recorded then; and nothing moves by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apps.core import clock
from apps.core.audit import verify_audit
from apps.core.errors import CountinghouseError, NotFoundError
from apps.core.models import AuditEntry
from apps.subscriptions import history
from apps.subscriptions.contracts import Activate, StartTrial, WorkspacePlace
from apps.subscriptions.history import facts_as_of, subscription_as_of
from apps.subscriptions.ids import PlanId
from apps.subscriptions.rules.lifecycle import LifecycleFacts
from apps.subscriptions.selectors.filters import needs_review
from apps.subscriptions.selectors.lifecycle import workspace_facts, workspace_lifecycle
from apps.tenants.models import Workspace
from tests.sizes import size
from tests.subscriptions.cast import chance_of, make_place, make_plan, staff_change
from tests.subscriptions.mutations import Calendar, random_mutation, use_calendar
from tests.subscriptions.test_preview_change import everything

pytestmark = pytest.mark.django_db
SEED, CHANGES = 7, 200

HISTORIES = size(small=1, full=20)


def live(place: WorkspacePlace, calendar: Calendar, seed: int) -> list[tuple[datetime, LifecycleFacts]]:
    """A random history of 200 changes; after each, what the gate saw at that moment."""
    chance, plan_id = chance_of(seed), PlanId(make_plan().pk)
    recorded: list[tuple[datetime, LifecycleFacts]] = []
    while len(recorded) < CHANGES:
        calendar.turn(timedelta(minutes=chance.randint(0, 3_000)))
        entries = AuditEntry.objects.filter(organization_id=place.organization_id).count()
        try:
            random_mutation(chance, place, plan_id).run()
        except CountinghouseError:
            continue
        if AuditEntry.objects.filter(organization_id=place.organization_id).count() > entries:
            moment = clock.now()
            recorded.append((moment, workspace_facts(place.workspace_id, at=moment)))
    return recorded


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return use_calendar(monkeypatch, clock.now())


@pytest.mark.prove(
    "as-of equals the receipts over histories of 200 changes",
    size=HISTORIES,
    control="a history that forgets the overlay is caught",
)
def test_as_of_equals_what_was_recorded_over_random_histories(calendar: Calendar) -> None:
    for seed in range(SEED, SEED + HISTORIES):
        place = make_place()
        recorded = live(place, calendar, seed)
        assert len({facts.subscription for _, facts in recorded}) > 20
        for moment, facts in recorded:
            assert facts_as_of(place.workspace_id, moment) == facts
        now = clock.now()
        assert facts_as_of(place.workspace_id, now) == workspace_facts(place.workspace_id, at=now)
        assert all(report.is_sound for report in verify_audit(place.organization_id))


@pytest.mark.slow
def test_a_history_that_forgets_the_overlay_is_caught(calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place()
    recorded = live(place, calendar, SEED)
    monkeypatch.setattr(history, "OVERLAY_TARGET", "nothing")
    assert any(facts_as_of(place.workspace_id, moment) != facts for moment, facts in recorded)


def test_the_record_as_it_was(calendar: Calendar) -> None:
    place, plan_id = make_place(), PlanId(make_plan().pk)
    start = clock.now()
    calendar.turn(timedelta(days=1))
    staff_change(place, StartTrial(plan_id, clock.now() + timedelta(days=14)))
    in_trial = clock.now()
    calendar.turn(timedelta(days=1))
    staff_change(place, Activate())

    assert subscription_as_of(place.workspace_id, start) is None
    then, now = (subscription_as_of(place.workspace_id, moment) for moment in (in_trial, clock.now()))
    assert then is not None
    assert now is not None
    assert (then.facts.state, then.facts.version, then.plan_id) == ("trialing", 1, plan_id)
    assert (now.facts.state, now.facts.version) == ("active", 2)
    assert then.changed_by.startswith("billing_operations")
    with pytest.raises(NotFoundError):
        subscription_as_of(place.organization_id, start)  # type: ignore[arg-type]


def test_a_year_past_every_date_nothing_has_changed_but_the_flags(calendar: Calendar) -> None:
    place, plan_id = make_place(), PlanId(make_plan().pk)
    staff_change(place, StartTrial(plan_id, clock.now() + timedelta(days=14)))
    before, today = everything(place), workspace_lifecycle(place.workspace_id)
    flagged = Workspace.objects.filter(pk=place.workspace_id)
    assert not flagged.filter(needs_review(clock.now())).exists()

    calendar.turn(timedelta(days=365))

    later = workspace_lifecycle(place.workspace_id)
    assert everything(place) == before
    assert (later.state, later.trace) == (today.state, today.trace)
    assert (today.needs_review, later.needs_review) == (False, True)
    assert flagged.filter(needs_review(clock.now())).exists()
