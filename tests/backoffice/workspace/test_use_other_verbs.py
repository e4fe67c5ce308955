"""The workspace page's other verbs: scheduled changes, overlays, notes, management, and what people type."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from apps.core import clock
from apps.core.enums import LifecycleState, Role
from apps.subscriptions.contracts import End, WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import PendingChange, Plan, WorkspaceNote, WorkspaceSubscription
from apps.subscriptions.services import overlay_set, subscription_change
from apps.tenants.models import Workspace
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import (
    do,
    fields_of,
    post,
    token_of,
    typed,
    url_of,
)
from tests.contexts import staff_context
from tests.subscriptions.cast import lead_to, make_place, make_plan, news, provider_context

pytestmark = pytest.mark.django_db


def test_a_scheduled_change_is_recorded_confirmed_or_cancelled(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    workspace_id, business = place.workspace_id, make_plan("business")
    assert do(client, workspace_id, "record_pending_change", fields_of("record_pending_change", workspace_id, business))
    assert "Change the plan to Business" in client.get(url_of(workspace_id)).content.decode()
    assert do(client, workspace_id, "cancel_pending_change", fields_of("cancel_pending_change", workspace_id, plan))
    assert do(client, workspace_id, "record_pending_change", fields_of("record_pending_change", workspace_id, business))
    assert do(client, workspace_id, "confirm_pending_change", fields_of("confirm_pending_change", workspace_id, plan))
    assert WorkspaceSubscription.objects.get(workspace=workspace_id).plan == business
    assert sorted(PendingChange.objects.values_list("status", flat=True)) == ["applied", "cancelled"]


def test_an_end_needs_no_plan_and_a_switch_needs_one(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    fields = fields_of("record_pending_change", place.workspace_id, plan)
    for wrong in ({"kind": "end"}, {"kind": "change_plan", "plan": ""}):
        assert not token_of(client, place.workspace_id, "record_pending_change", fields | wrong)
    assert token_of(client, place.workspace_id, "record_pending_change", fields | {"kind": "end", "plan": ""})


def test_an_overlay_is_set_and_cleared(client: Client, plan: Plan) -> None:
    bare = make_place()
    assert do(client, bare.workspace_id, "set_overlay", fields_of("set_overlay", bare.workspace_id, plan))
    assert "staff set the manual overlay trial" in client.get(url_of(bare.workspace_id)).content.decode().lower()
    assert do(client, bare.workspace_id, "clear_overlay", fields_of("clear_overlay", bare.workspace_id, plan))


def test_support_adds_a_note_which_is_signed(place: WorkspacePlace, plan: Plan) -> None:
    support = client_of(Role.SUPPORT)
    fields = {**fields_of("add_note", place.workspace_id, plan), "reason": "Calls on Fridays.", "step": "apply"}
    assert post(support, place.workspace_id, "add_note", fields)[1] == url_of(place.workspace_id)
    note = WorkspaceNote.objects.get()
    assert note.text == "Calls on Fridays."
    assert note.author_label.startswith("support-")
    assert "Calls on Fridays." in support.get(url_of(place.workspace_id)).content.decode()


@pytest.mark.slow
def test_a_provider_s_word_against_staff_s_is_shown_and_management_handed_back(client: Client, plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    hand = fields_of("hand_to_provider", place.workspace_id, plan)
    assert do(client, place.workspace_id, "hand_to_provider", hand)
    assert do(client, place.workspace_id, "suspend", fields_of("suspend", place.workspace_id, plan))
    object_id = hand["provider_subscription_id"]
    subscription_change(
        provider_context(),
        workspace_id=place.workspace_id,
        change=End(),
        news=news("ended", object_id),
    )
    body = client.get(url_of(place.workspace_id)).content.decode()
    assert "Stripe says ended since" in body
    assert "set suspended on" in body
    back = fields_of("hand_to_provider", place.workspace_id, plan) | {"provider_subscription_id": ""}
    assert do(client, place.workspace_id, "hand_to_provider", back)
    assert WorkspaceSubscription.objects.get(workspace=place.workspace_id).managed_by == "stripe"
    assert "Stripe says ended since" not in client.get(url_of(place.workspace_id)).content.decode()


def test_dates_that_passed_and_changes_that_are_due_ask_for_a_person(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    period = fields_of("update_period", place.workspace_id, plan)
    period["period_start"] = typed(clock.now() - timedelta(days=40))
    period["period_end"] = typed(clock.now() - timedelta(days=9))
    assert do(client, place.workspace_id, "update_period", period)
    PendingChange.objects.create(
        workspace_id=place.workspace_id,
        kind="end",
        due_at=clock.now() - timedelta(days=2),
        recorded_by="pat@countinghouse.example",
        reason="the contract says so",
        recorded_at=clock.now() - timedelta(days=20),
    )
    body = client.get(url_of(place.workspace_id)).content.decode()
    assert "Needs review: the period ended on" in body
    assert "A scheduled change has been due since" in body


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7|add:7 }}'"


def test_hostile_names_reasons_and_notes_are_text(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    workspace_id = place.workspace_id
    Workspace.objects.filter(pk=workspace_id).update(name=HOSTILE)
    overlay_set(staff_context(), workspace_id=workspace_id, state=LifecycleState.TRIAL, reason=HOSTILE)
    note = {**fields_of("add_note", workspace_id, plan), "reason": HOSTILE, "step": "apply"}
    post(client, workspace_id, "add_note", note)
    fields = fields_of("record_pending_change", workspace_id, plan) | {"reason": HOSTILE}
    bodies = [
        client.post(url_of(workspace_id, "record_pending_change"), {**fields, "step": "preview"}).content.decode()
    ]
    assert do(client, workspace_id, "record_pending_change", fields)
    asked = (
        url_of(workspace_id),
        f"{url_of(workspace_id)}?at=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        f"{url_of(workspace_id, 'why')}?user=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        url_of(workspace_id, "end"),
    )
    bodies += [client.get(url).content.decode() for url in asked]
    for body in bodies:
        assert "<script>alert" not in body
        assert "<img src=x" not in body
        assert "&lt;script&gt;alert" in body
