"""The manual overlay, notes and plans: who may, what is kept, and what a refusal leaves."""

from __future__ import annotations

import pytest

from apps.core.enums import LifecycleState, Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import Activate, WorkspacePlace
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceNote
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.subscriptions.selectors.records import workspace_notes
from apps.subscriptions.services import PlanParams, note_add, overlay_clear, overlay_set, plan_upsert
from tests.contexts import console_context, staff_context
from tests.subscriptions.cast import REASON, make_place, make_plan, staff_change
from tests.subscriptions.test_preview_change import everything

pytestmark = pytest.mark.django_db


def test_the_overlay_counts_until_there_is_a_record() -> None:
    place = make_place()
    overlay_set(staff_context(), workspace_id=place.workspace_id, state=LifecycleState.ACTIVE, reason=REASON)
    decision = workspace_lifecycle(place.workspace_id)
    assert (decision.state, decision.source) == ("active", "manual_overlay")
    assert REASON in decision.reasons[0].fact
    staff_change(place, Activate(PlanId(make_plan().pk)))
    assert workspace_lifecycle(place.workspace_id).source == "subscription"
    overlay_clear(staff_context(), workspace_id=place.workspace_id, reason=REASON)
    events = AuditEntry.objects.filter(organization_id=place.organization_id, target_type="workspace")
    assert [entry.event for entry in events.order_by("sequence")][-2:] == [
        "workspace.overlay_set",
        "workspace.overlay_cleared",
    ]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OWNER])
def test_who_may_not_changes_nothing(role: Role) -> None:
    place = make_place()
    before, context, state = everything(place), staff_context(role), LifecycleState.TRIAL
    with pytest.raises(ForbiddenError):
        overlay_set(context, workspace_id=place.workspace_id, state=state, reason=REASON)
    with pytest.raises(ForbiddenError):
        overlay_clear(context, workspace_id=place.workspace_id, reason=REASON)
    assert everything(place) == before


def test_what_is_refused() -> None:
    place, context = make_place(), staff_context()
    before = everything(place)
    with pytest.raises(ConflictError):
        overlay_clear(context, workspace_id=place.workspace_id, reason=REASON)
    for workspace_id, reason in ((place.workspace_id, " "), (WorkspaceId(place.organization_id), REASON)):
        with pytest.raises(CountinghouseError):
            overlay_set(context, workspace_id=workspace_id, state=LifecycleState.TRIAL, reason=reason)
    assert everything(place) == before
    overlay_set(context, workspace_id=place.workspace_id, state=LifecycleState.TRIAL, reason=REASON)
    with pytest.raises(ConflictError):
        overlay_set(context, workspace_id=place.workspace_id, state=LifecycleState.TRIAL, reason=REASON)
    with pytest.raises(CountinghouseError):
        overlay_clear(context, workspace_id=place.workspace_id, reason="")


def note(place: WorkspacePlace, role: Role, text: str) -> WorkspaceNote:
    return note_add(staff_context(role), workspace_id=place.workspace_id, text=text)


def test_notes_are_signed_and_the_newest_comes_first() -> None:
    place = make_place()
    notes = [note(place, Role.SUPPORT, " First. "), note(place, Role.BILLING_OPERATIONS, "Second.")]
    assert list(workspace_notes(place.workspace_id)) == notes[::-1]
    assert (notes[0].text, notes[0].author_label) == ("First.", "support@countinghouse.example")
    for role, text in ((Role.OWNER, "Mine."), (Role.SUPPORT, "  ")):
        with pytest.raises(CountinghouseError):
            note(place, role, text)
    assert WorkspaceNote.objects.count() == 2


def test_a_plan_is_made_once_and_changed_when_it_differs() -> None:
    plan, entries = make_plan(), AuditEntry.objects.filter(target_type="plan")
    assert make_plan() == plan
    assert entries.count() == 1
    plan_upsert(console_context(), slug="team", params=PlanParams(name="Team", price_minor=5900))
    assert [entry.after["price_minor"] for entry in entries.order_by("sequence")] == [4900, 5900]
    for context, wish in (
        (console_context(), PlanParams(name="Team", price_minor=-1)),
        (console_context(), PlanParams(name="Team", price_minor=1, currency="eur")),
        (staff_context(), PlanParams(name="Team", price_minor=1)),
        (staff_context(Role.PLATFORM_ADMIN), PlanParams(name="Team", price_minor=1)),
    ):
        with pytest.raises(CountinghouseError):
            plan_upsert(context, slug="team", params=wish)
    assert Plan.objects.get().price_minor == 5900
