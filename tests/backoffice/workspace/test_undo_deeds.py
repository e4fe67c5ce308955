"""After a deed: the page says the new value, and the timeline offers the way back with the values of before."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    MarkPastDue,
    Period,
    StartTrial,
    SubscriptionChange,
    Suspend,
    WorkspacePlace,
)
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import MAY_BECOME, is_legal, verb_back
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import do, fields_of, post, url_of
from tests.factories.tenants import make_workspace
from tests.subscriptions.cast import make_place, make_plan, staff_change

pytestmark = pytest.mark.django_db
_UNDO = re.compile(r'<a class="ch-button" href="([^"]+)"[^>]*>Undo: ([^<]+)</a>')


def ways_back(client: Client, place: WorkspacePlace) -> dict[str, str]:
    """The ways back that the timeline offers: the verb's label and its address."""
    body = client.get(url_of(place.workspace_id)).content.decode()
    return {label: html.unescape(url) for url, label in _UNDO.findall(body)}


def test_every_step_back_is_a_legal_verb() -> None:
    found = {
        (source, target): verb_back(target, source) for source, targets in MAY_BECOME.items() for target in targets
    }
    assert all(verb is None or is_legal(verb, target) for (_, target), verb in found.items())
    assert found[SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE] == "resume"
    assert found[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED] == "resume"
    assert found[SubscriptionState.PAST_DUE, SubscriptionState.SUSPENDED] == "mark_past_due"
    assert found[SubscriptionState.ACTIVE, SubscriptionState.ENDED] == "activate"
    assert found[SubscriptionState.TRIALING, SubscriptionState.ACTIVE] is None


def entry_page(client: Client, event: str) -> str:
    """The page of the newest audit entry of the event."""
    entry = AuditEntry.objects.filter(event=event).latest("recorded_at", "sequence")
    return client.get(reverse("admin:core_auditentry_change", args=(entry.pk,))).content.decode()


@pytest.mark.slow
@pytest.mark.slow
def test_the_audit_entry_offers_the_same_way_back_as_the_timeline(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    business = make_plan("business")
    assert do(client, place.workspace_id, "change_plan", fields_of("change_plan", place.workspace_id, business))
    address = html.escape(ways_back(client, place)["Change plan"])
    body = entry_page(client, "subscription.plan_changed")
    assert address in body
    assert "Undo: Change plan" in body
    assert "Undo:" not in entry_page(client_of(Role.SUPPORT), "subscription.plan_changed")
    assert do(client, place.workspace_id, "suspend", fields_of("suspend", place.workspace_id, plan))
    superseded = entry_page(client, "subscription.plan_changed")
    assert "Undo: Change plan" not in superseded
    assert "Undo the newest change first." in superseded
    # What is the organization's has no workspace of its own; what has no reverse says nothing.
    assert do(client, place.workspace_id, "lock", fields_of("lock", place.workspace_id, plan))
    assert "Undo: Unlock" in entry_page(client, "payment_config.locked")
    assert "Undo" not in entry_page(client, "workspace.created")


@pytest.mark.parametrize("deed", [MarkPastDue(), Suspend()])
def test_what_stopped_a_subscription_is_undone_by_resume(
    client: Client, place: WorkspacePlace, plan: Plan, deed: SubscriptionChange
) -> None:
    staff_change(place, deed)
    assert ways_back(client, place) == {"Resume": url_of(place.workspace_id, "resume")}
    assert do(client, place.workspace_id, "resume", fields_of("resume", place.workspace_id, plan))
    assert WorkspaceSubscription.objects.get(workspace=place.workspace_id).state == SubscriptionState.ACTIVE.value
    assert client_of(Role.SUPPORT).get(url_of(place.workspace_id)).content.decode().count("Undo:") == 0


def test_a_change_of_plan_says_its_price_and_its_outcome_and_leads_back(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    business = make_plan("business")
    Plan.objects.filter(pk=business.pk).update(price_minor=plan.price_minor + 5000)
    fields = fields_of("change_plan", place.workspace_id, business)
    form = client.get(url_of(place.workspace_id, "change_plan")).content.decode()
    assert f'value="{plan.pk}"' not in form
    assert '<option value="" selected>Choose a plan</option>' in form
    _, _, shown = post(client, place.workspace_id, "change_plan", {**fields, "step": "preview"})
    assert "50.00 EUR more" in shown
    assert "Nothing is sent to Stripe or Orb" in shown
    assert do(client, place.workspace_id, "change_plan", fields)
    assert "The plan is Business now." in client.get(url_of(place.workspace_id)).content.decode()
    undo = client.get(ways_back(client, place)["Change plan"]).content.decode()
    assert f'<option value="{plan.pk}" selected>' in undo
    assert 'name="version" value="0"' not in undo


def test_the_end_of_a_paid_period_is_undone_with_its_plan_and_dates(client: Client, plan: Plan) -> None:
    place, now = make_place(), clock.now()
    end = now + timedelta(days=30)
    staff_change(place, Activate(PlanId(plan.pk), Period(now, end)))
    assert do(client, place.workspace_id, "end", fields_of("end", place.workspace_id, plan))
    form = client.get(ways_back(client, place)["Activate"]).content.decode()
    assert f'value="{end:%Y-%m-%dT%H:%M}"' in form
    assert f'<option value="{plan.pk}" selected>' in form


def test_only_the_newest_deed_about_a_record_has_a_way_back(client: Client, plan: Plan) -> None:
    place = make_place()
    staff_change(place, StartTrial(PlanId(plan.pk), clock.now() + timedelta(days=14)))
    staff_change(place, ChangePlan(PlanId(make_plan("business").pk)))
    assert set(ways_back(client, place)) == {"Change plan"}
    staff_change(place, Activate())
    assert ways_back(client, place) == {}


def test_grace_says_its_new_end(client: Client, place: WorkspacePlace, plan: Plan) -> None:
    assert do(client, place.workspace_id, "start_grace", fields_of("start_grace", place.workspace_id, plan))
    assert "The grace period has started and ends on " in client.get(url_of(place.workspace_id)).content.decode()
    fields = fields_of("extend_grace", place.workspace_id, plan)
    assert do(client, place.workspace_id, "extend_grace", fields)
    day = clock.now() + timedelta(days=40)
    assert f"The grace period ends on {day:%-d %B %Y} now." in client.get(url_of(place.workspace_id)).content.decode()


def test_an_address_fills_no_hidden_field_and_no_reason(client: Client, place: WorkspacePlace) -> None:
    url = f"{url_of(place.workspace_id, 'change_plan')}?version=99&reason=because&plan=nonsense&due_at=x"
    form = client.get(url).content.decode()
    assert 'value="99"' not in form
    assert "because</textarea>" not in form


@pytest.mark.slow
def test_a_preview_tells_what_becomes_of_a_scheduled_change_and_of_whom_else_it_reaches(
    client: Client, place: WorkspacePlace, plan: Plan
) -> None:
    workspace_id, business = place.workspace_id, make_plan("business")
    scheduled = fields_of("record_pending_change", workspace_id, business)
    _, _, shown = post(client, workspace_id, "record_pending_change", {**scheduled, "step": "preview"})
    assert "The scheduled change stays" not in shown
    assert do(client, workspace_id, "record_pending_change", scheduled)
    assert "Scheduled for " in client.get(url_of(workspace_id)).content.decode()
    _, _, shown = post(client, workspace_id, "end", {**fields_of("end", workspace_id, plan), "step": "preview"})
    assert "The scheduled change is dropped: change the plan to Business on " in shown
    _, _, shown = post(client, workspace_id, "suspend", {**fields_of("suspend", workspace_id, plan), "step": "preview"})
    assert "The scheduled change stays: change the plan to Business on " in shown
    confirmed = fields_of("confirm_pending_change", workspace_id, plan)
    _, _, shown = post(client, workspace_id, "confirm_pending_change", {**confirmed, "step": "preview"})
    assert "The scheduled change is" not in shown
    assert "The scheduled change stays" not in shown
    assert "other workspaces change too" not in shown
    cancelled = fields_of("cancel_pending_change", workspace_id, plan)
    _, _, shown = post(client, workspace_id, "cancel_pending_change", {**cancelled, "step": "preview"})
    assert "The scheduled change stays" not in shown
    make_workspace(Organization.objects.get(pk=place.organization_id), name="Second lab")
    _, _, shown = post(client, workspace_id, "lock", {**fields_of("lock", workspace_id, plan), "step": "preview"})
    assert "The organization's other workspaces change too: Second lab." in shown
    assert do(client, workspace_id, "end", fields_of("end", workspace_id, plan))
    page = client.get(url_of(workspace_id)).content.decode()
    assert "Scheduled change dropped, as it lost its sense" in page
    assert "Scheduled: Change the plan" not in page


def test_no_overlay_is_offered_beside_a_subscription(client: Client, place: WorkspacePlace) -> None:
    assert url_of(place.workspace_id, "set_overlay") not in client.get(url_of(place.workspace_id)).content.decode()
    bare = make_place()
    assert url_of(bare.workspace_id, "set_overlay") in client.get(url_of(bare.workspace_id)).content.decode()
