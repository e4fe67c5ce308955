"""Scheduled changes: at most one open, flagged when due, applied by nobody's timer (spec 03, Scheduled change)."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import Activate, ChangePlan, End, HandToProvider, MarkPastDue, WorkspacePlace
from apps.subscriptions.enums import PendingChangeKind, PendingChangeStatus, Provider, SubscriptionState
from apps.subscriptions.ids import PendingChangeId, PlanId
from apps.subscriptions.models import PendingChange, Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import RecordChange, fate_of_scheduled
from apps.subscriptions.selectors.filters import has_due_change
from apps.subscriptions.selectors.records import is_due, open_pending_change
from apps.subscriptions.services import pending_change_cancel, pending_change_confirm, pending_change_record
from apps.tenants.models import Workspace
from tests.contexts import staff_context
from tests.subscriptions.cast import REASON, make_place, make_plan, news, provider_context, staff_change, version_of
from tests.subscriptions.mutations import Calendar, use_calendar
from tests.subscriptions.test_preview_change import everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return use_calendar(monkeypatch, clock.now())


@pytest.fixture
def place(calendar: Calendar) -> WorkspacePlace:
    place = make_place()
    staff_change(place, Activate(PlanId(make_plan().pk)))
    return place


def record(place: WorkspacePlace, plan_id: PlanId | None = None, due_at: datetime | None = None) -> PendingChange:
    return pending_change_record(
        staff_context(),
        workspace_id=place.workspace_id,
        due_at=due_at or clock.now() + timedelta(days=30),
        plan_id=plan_id,
        reason=REASON,
    )


def test_it_is_flagged_when_due_and_nothing_happens(place: WorkspacePlace, calendar: Calendar) -> None:
    pending = record(place)
    assert (pending.kind, pending.reason) == (PendingChangeKind.END, REASON)
    assert pending.recorded_by.startswith("billing_operations")
    before, flagged = everything(place), Workspace.objects.filter(pk=place.workspace_id)
    assert not is_due(pending, clock.now())
    assert not flagged.filter(has_due_change(clock.now())).exists()
    calendar.turn(timedelta(days=365))
    assert everything(place) == before
    assert is_due(pending, clock.now())
    assert list(PendingChange.objects.filter(status=PendingChangeStatus.OPEN, due_at__lte=clock.now())) == [pending]
    assert flagged.filter(has_due_change(clock.now())).exists()


def test_at_most_one_waits(place: WorkspacePlace) -> None:
    pending = record(place)
    with pytest.raises(ConflictError, match="waits already") as refusal:
        record(place)
    assert refusal.value.problem_code == "pending_change_open"
    with pytest.raises(IntegrityError), transaction.atomic():
        PendingChange.objects.create(
            workspace_id=place.workspace_id, kind="end", due_at=clock.now(), recorded_at=clock.now(), reason="raw"
        )
    pending_change_cancel(staff_context(), pending_change_id=PendingChangeId(pending.pk), reason=REASON)
    assert record(place).pk != pending.pk


def test_a_person_confirms_it(place: WorkspacePlace) -> None:
    pending = record(place, PlanId(make_plan("bigger").pk))
    entries = AuditEntry.objects.filter(organization_id=place.organization_id).count()
    outcome = pending_change_confirm(
        staff_context(),
        pending_change_id=PendingChangeId(pending.pk),
        reason=REASON,
        expected_version=version_of(place.workspace_id),
    )
    assert outcome.is_applied
    assert WorkspaceSubscription.objects.get(workspace=place.workspace_id).plan.slug == "bigger"
    pending.refresh_from_db()
    assert (pending.status, pending.settled_reason) == ("applied", REASON)
    assert open_pending_change(place.workspace_id) is None
    # One entry for the subscription, one for the scheduled change.
    assert AuditEntry.objects.filter(organization_id=place.organization_id).count() == entries + 2
    with pytest.raises(ConflictError, match="was confirmed, cancelled or dropped already"):
        pending_change_cancel(staff_context(), pending_change_id=PendingChangeId(pending.pk), reason=REASON)


TEAM, BIGGER, OTHER = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
Scheduled = tuple[PendingChangeKind, uuid.UUID | None]
END: Scheduled = (PendingChangeKind.END, None)
SWITCH: Scheduled = (PendingChangeKind.CHANGE_PLAN, BIGGER)
RUNNING = tuple(state for state in SubscriptionState if state != "ended")
Case = tuple[SubscriptionState | None, SubscriptionState, uuid.UUID | None, uuid.UUID]


def cases() -> Iterator[tuple[Case, str | None, str | None]]:
    """Every change of state and plan, with what it makes of a scheduled end and of a scheduled change of plan."""
    over = SubscriptionState.ENDED
    for before, plan in itertools.product(RUNNING, (TEAM, BIGGER, OTHER)):
        yield (before, over, TEAM, plan), "applied", "dropped"
        for after in RUNNING:
            kept = "applied" if plan == BIGGER else None if plan == TEAM else "dropped"
            yield (before, after, TEAM, plan), None, kept
    for after, plan in itertools.product(RUNNING, (TEAM, BIGGER)):
        yield (None, after, None, plan), "dropped", "dropped"
        yield (over, after, TEAM, plan), "dropped", "dropped"
    yield (over, over, TEAM, TEAM), None, None


def test_a_change_is_no_news_unless_it_says_so() -> None:
    plan = uuid.uuid4()
    assert not RecordChange(None, SubscriptionState.ACTIVE, None, plan).is_news


@pytest.mark.parametrize("is_news", [True, False])
def test_what_each_change_makes_of_the_scheduled_one(is_news: bool) -> None:
    for case, of_end, of_switch in cases():
        change = RecordChange(*case, is_news=is_news)
        for (kind, plan_id), told in ((END, of_end), (SWITCH, of_switch)):
            # What people do beside the scheduled change never confirms it.
            wanted = "dropped" if told == "applied" and not is_news else told
            assert fate_of_scheduled(kind, plan_id, change) == wanted, (case, kind)


def entries_of(pending: PendingChange) -> list[str]:
    rows = AuditEntry.objects.filter(target_type="pending_change", target_id=str(pending.pk)).order_by("sequence")
    return list(rows.values_list("event", flat=True))


def test_an_end_drops_it_with_its_entry_and_a_start_finds_none(place: WorkspacePlace) -> None:
    pending = record(place, PlanId(make_plan("bigger").pk))
    staff_change(place, End())
    pending.refresh_from_db()
    assert (pending.status, pending.settled_reason) == ("dropped", f"The subscription ended: {REASON}")
    assert entries_of(pending) == ["pending_change.recorded", "pending_change.dropped"]
    staff_change(place, Activate())
    assert open_pending_change(place.workspace_id) is None
    record(place)


def test_another_plan_drops_a_change_of_plan_and_keeps_an_end(place: WorkspacePlace) -> None:
    bigger, other = make_plan("bigger"), make_plan("other")
    pending = record(place)
    staff_change(place, ChangePlan(PlanId(other.pk)))
    assert open_pending_change(place.workspace_id) == pending
    pending_change_cancel(staff_context(), pending_change_id=PendingChangeId(pending.pk), reason=REASON)
    for plan in (bigger, Plan.objects.get(slug="team")):
        pending = record(place, PlanId(bigger.pk))
        staff_change(place, MarkPastDue())
        staff_change(place, Activate())
        assert open_pending_change(place.workspace_id) == pending, "nothing of it was done"
        staff_change(place, ChangePlan(PlanId(plan.pk)))
        pending.refresh_from_db()
        assert (pending.status, pending.settled_reason) == ("dropped", f"The plan is {plan.name} now: {REASON}")


def test_what_is_refused_drops_nothing(place: WorkspacePlace) -> None:
    pending = record(place, PlanId(make_plan("bigger").pk))
    before = everything(place)
    with pytest.raises(CountinghouseError):
        staff_change(place, ChangePlan(PlanId(place.workspace_id)))
    with pytest.raises(CountinghouseError):
        staff_change(place, End(), staff_context(Role.SUPPORT))
    assert (everything(place), open_pending_change(place.workspace_id)) == (before, pending)


def test_a_provider_confirms_only_what_it_manages(place: WorkspacePlace) -> None:
    pending = PendingChangeId(record(place).pk)
    told = news("ended")
    kept = pending_change_confirm(provider_context(), pending_change_id=pending, news=told)
    assert not kept.is_applied
    assert open_pending_change(place.workspace_id) is not None
    staff_change(place, HandToProvider(Provider.STRIPE, told.object_id))
    assert pending_change_confirm(provider_context(), pending_change_id=pending, news=told).is_applied
    assert WorkspaceSubscription.objects.get(workspace=place.workspace_id).state == "ended"


def test_what_is_refused_leaves_nothing(place: WorkspacePlace) -> None:
    pending = record(place)
    stale = {"pending_change_id": PendingChangeId(pending.pk), "reason": REASON, "expected_version": 99}
    before = everything(place)
    with pytest.raises(ConflictError):
        pending_change_confirm(staff_context(), **stale)  # type: ignore[arg-type]
    with pytest.raises(ForbiddenError):
        pending_change_cancel(staff_context(Role.SUPPORT), pending_change_id=PendingChangeId(pending.pk), reason=REASON)
    with pytest.raises(NotFoundError):
        pending_change_cancel(staff_context(), pending_change_id=PendingChangeId(place.workspace_id), reason=REASON)
    for other in (make_place(), WorkspacePlace(WorkspaceId(place.organization_id), place.organization_id)):
        with pytest.raises(CountinghouseError):
            record(other)
    pending.refresh_from_db()
    assert (everything(place), pending.status) == (before, "open")


def test_the_day_lies_ahead(place: WorkspacePlace) -> None:
    with pytest.raises(CountinghouseError):
        record(place, due_at=clock.now() - timedelta(seconds=1))
