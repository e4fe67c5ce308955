"""Form, preview, apply: the preview changes nothing, the token binds, who is late is told and loses nothing typed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test import Client

from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import Suspend, WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.tenants.models import Workspace
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import (
    SCRIPT,
    WHY,
    do,
    everything,
    fields_of,
    post,
    token_of,
    url_of,
)
from tests.contexts import console_context
from tests.subscriptions.cast import lead_to, make_place, make_plan, staff_change

pytestmark = pytest.mark.django_db


def test_a_preview_shows_what_will_be_and_changes_nothing(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    before = everything()
    fields = fields_of("end", place.workspace_id, plan)
    _, _, body = post(client, place.workspace_id, "end", {**fields, "step": "preview"})
    for told in ("Active", "Read-only", "Ended", "connector.sync", "Nothing has been changed yet", WHY):
        assert told in body
    assert everything() == before


@pytest.mark.slow
def test_every_verb_s_preview_changes_nothing(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    other = make_plan("other")
    before = everything()
    seen = 0
    for verb in ("change_plan", "suspend", "end", "mark_past_due", "set_manual", "lock", "start_grace", "set_overlay"):
        seen += bool(token_of(client, place.workspace_id, verb, fields_of(verb, place.workspace_id, other)))
    assert seen == 8
    assert everything() == before
    assert Workspace.objects.get(pk=place.workspace_id).manual_lifecycle_state == ""


def test_a_payment_verb_s_preview_says_what_it_means_for_money(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    told = {
        "set_manual": "The provider goes on charging.",
        "lock": "The provider is not told",
        "start_grace": "charges",
    }
    for verb, sentence in told.items():
        fields = fields_of(verb, place.workspace_id, plan)
        _, _, body = post(client, place.workspace_id, verb, {**fields, "step": "preview"})
        assert "What it means for money" in body
        assert sentence in body


def test_a_change_of_plan_names_the_plans(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    business = make_plan("business")
    fields = fields_of("change_plan", place.workspace_id, business)
    _, _, body = post(client, place.workspace_id, "change_plan", {**fields, "step": "preview"})
    assert "Team" in body
    assert "Business" in body
    assert "The lifecycle stays the same." in body


def test_what_moved_on_in_between_is_told_and_what_was_typed_is_kept(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    fields = fields_of("end", place.workspace_id, plan) | {"reason": "A long and careful reason."}
    token = token_of(client, place.workspace_id, "end", fields)
    staff_change(place, Suspend())
    before = everything()
    _, leads_to, body = post(client, place.workspace_id, "end", {**fields, "step": "apply", "token": token})
    assert leads_to == ""
    assert "The state moved on since the preview" in body
    assert "state active → suspended" in body
    assert "A long and careful reason." in body
    assert everything() == before
    # The form that came back is for the state as it is now.
    again = fields_of("end", place.workspace_id, plan)
    assert f'name="version" value="{again["version"]}"' in body
    assert do(client, place.workspace_id, "end", again)


def test_a_form_opened_before_somebody_else_s_change_is_told_at_the_preview(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    fields = fields_of("end", place.workspace_id, plan)
    staff_change(place, Suspend())
    _, _, body = post(client, place.workspace_id, "end", {**fields, "step": "preview"})
    assert "The subscription changed in between" in body
    assert "state active → suspended" in body
    assert 'name="token"' not in body


@pytest.mark.parametrize("changed", ["reason", "plan", "version"])
def test_a_token_is_for_what_was_previewed_alone(
    client: Client, place: WorkspacePlace, plan: Plan, changed: str
) -> None:
    first, second = make_plan("first"), make_plan("second")
    fields = fields_of("change_plan", place.workspace_id, first)
    token = token_of(client, place.workspace_id, "change_plan", fields)
    other = {"reason": "another", "plan": str(second.pk), "version": "7"}[changed]
    before = everything()
    sent = {**fields, changed: other, "step": "apply", "token": token}
    _, leads_to, body = post(client, place.workspace_id, "change_plan", sent)
    assert leads_to == ""
    assert "Not what was previewed" in body
    assert everything() == before


@pytest.mark.parametrize("token", ["", "made-up", "a:b:c"])
def test_without_a_preview_nothing_is_applied(client: Client, place: WorkspacePlace, plan: Plan, token: str) -> None:
    before = everything()
    fields = fields_of("end", place.workspace_id, plan)
    _, leads_to, _ = post(client, place.workspace_id, "end", {**fields, "step": "apply", "token": token})
    assert leads_to == ""
    assert everything() == before


def test_a_token_is_of_no_use_to_a_colleague_or_for_another_workspace(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    other = make_place()
    lead_to(other, SubscriptionState.ACTIVE, PlanId(plan.pk))
    fields = fields_of("end", place.workspace_id, plan)
    apply = {**fields, "step": "apply", "token": token_of(client, place.workspace_id, "end", fields)}
    colleague = client_of(Role.BILLING_OPERATIONS)
    before = everything()
    assert post(colleague, place.workspace_id, "end", apply)[1] == ""
    assert post(client, other.workspace_id, "end", apply)[1] == ""
    assert everything() == before


def test_pressing_apply_twice_does_it_once(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    fields = fields_of("end", place.workspace_id, plan)
    apply = {**fields, "step": "apply", "token": token_of(client, place.workspace_id, "end", fields)}
    assert post(client, place.workspace_id, "end", apply)[1]
    assert not post(client, place.workspace_id, "end", apply)[1]
    assert AuditEntry.objects.filter(event="subscription.ended").count() == 1


def test_a_reason_is_required(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    for verb in ("end", "lock", "set_overlay", "record_pending_change", "add_note"):
        fields = fields_of(verb, place.workspace_id, plan) | {"reason": "  ", "step": "preview"}
        assert "This field is required" in post(client, place.workspace_id, verb, fields)[2]


def test_back_from_the_preview_keeps_everything(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    fields = fields_of("update_period", place.workspace_id, plan)
    _, _, body = post(client, place.workspace_id, "update_period", {**fields, "step": "edit"})
    for value in (fields["period_start"], fields["period_end"], WHY):
        assert value in body


def test_without_the_page_s_script_the_same_steps_are_pages(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    url, fields = url_of(place.workspace_id, "end"), fields_of("end", place.workspace_id, plan)
    assert "<!DOCTYPE html>" in client.get(url).content.decode()
    token = token_of(client, place.workspace_id, "end", fields)
    answer = client.post(url, {**fields, "step": "apply", "token": token})
    assert answer.headers["Location"] == url_of(place.workspace_id)
    assert "The subscription has ended." in client.get(url_of(place.workspace_id)).content.decode()


def test_without_the_csrf_token_nothing_is_done(place: WorkspacePlace, plan: Plan) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_of(Role.BILLING_OPERATIONS).cookies
    before = everything()
    answer = strict.post(url_of(place.workspace_id, "end"), fields_of("end", place.workspace_id, plan), headers=SCRIPT)
    assert answer.status_code == 403
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_wins_and_the_other_is_told(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    verbs = ("end", "suspend")
    clients = {verb: client_of(Role.BILLING_OPERATIONS) for verb in verbs}
    fields = {verb: fields_of(verb, place.workspace_id, plan) for verb in verbs}
    tokens = {verb: token_of(clients[verb], place.workspace_id, verb, fields[verb]) for verb in verbs}
    assert all(tokens.values())
    before = AuditEntry.objects.filter(workspace_id=place.workspace_id).count()
    start, answers = threading.Barrier(2), dict[str, tuple[int, str, str]]()

    def save(verb: str) -> None:
        start.wait()
        try:
            sent = {**fields[verb], "step": "apply", "token": tokens[verb]}
            answers[verb] = post(clients[verb], place.workspace_id, verb, sent)
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [verb for verb, (_, leads_to, _) in answers.items() if leads_to]
    assert len(winners) == 1
    loser = next(verb for verb in verbs if verb not in winners)
    assert "The state moved on since the preview" in answers[loser][2]
    assert WHY in answers[loser][2]
    assert AuditEntry.objects.filter(workspace_id=place.workspace_id).count() == before + 1


def test_the_console_s_changes_count_too(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    """Whoever moves the state makes the preview stale, not only people at the page."""
    fields = fields_of("end", place.workspace_id, plan)
    token = token_of(client, place.workspace_id, "end", fields)
    staff_change(place, Suspend(), console_context())
    assert not post(client, place.workspace_id, "end", {**fields, "step": "apply", "token": token})[1]
