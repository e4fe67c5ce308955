"""Every change of a subscription says what it means for money: nobody is told, who charges on, and the way there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from apps.backoffice.workspace.verbs import VERBS
from apps.core import clock
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models import ProviderSubscription
from apps.subscriptions.contracts import WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import SUBSCRIPTION_TRANSITIONS, is_legal
from apps.subscriptions.services import pending_change_record
from tests.backoffice.workspace.dialogs import everything, fields_of, post, url_of
from tests.contexts import staff_context
from tests.subscriptions.cast import REASON, lead_to, make_place, make_plan

pytestmark = pytest.mark.django_db
KEY = "sub_4711"
PAGE = f"https://dashboard.stripe.com/subscriptions/{KEY}"
# Each verb, with the words that tell it from the others.
SAID = {
    "start_trial": "goes on charging as it does now",
    "activate": "goes on charging as it does now",
    "resume": "charges nothing until somebody resumes it at Stripe too",
    "change_plan": "goes on charging the old price until somebody changes it at Stripe",
    "mark_past_due": "goes on charging and asking for what is open",
    "suspend": "until somebody pauses or cancels it at Stripe",
    "end": "goes on charging until somebody cancels it at Stripe",
    "set_cancel_at_period_end": "renews and charges again unless somebody cancels it at Stripe too",
    "update_period": "goes on charging on the days that Stripe has",
    "hand_to_provider": "its next news decide here again",
    "take_over": "goes on charging until somebody cancels it at Stripe",
    "record_pending_change": "also once the change is confirmed here",
    "confirm_pending_change": "goes on charging until somebody cancels it at Stripe",
}


def sold_by_stripe(verb: str, plan: Plan) -> WorkspacePlace:
    """A workspace whose subscription Stripe sold, in a state in which the verb is possible."""
    legal = (state for state in SubscriptionState if verb not in SUBSCRIPTION_TRANSITIONS or is_legal(verb, state))
    place = make_place()
    lead_to(place, next(legal), PlanId(plan.pk))
    record = WorkspaceSubscription.objects.filter(workspace=place.workspace_id)
    record.update(provider="stripe", provider_subscription_id=KEY)
    if verb == "take_over":
        record.update(managed_by="stripe")
    if verb == "confirm_pending_change":
        due_at = clock.now() + timedelta(days=9)
        pending_change_record(staff_context(), workspace_id=place.workspace_id, due_at=due_at, reason=REASON)
    return place


def preview(client: Client, place: WorkspacePlace, verb: str, plan: Plan, **fields: str) -> str:
    sent = {**fields_of(verb, place.workspace_id, plan), "step": "preview", **fields}
    status, _, body = post(client, place.workspace_id, verb, sent)
    assert (status, "what it will do" in body) == (200, True), body
    return body


@pytest.mark.parametrize("verb", SAID)
def test_the_provider_is_not_told_and_the_preview_leads_to_its_object(client: Client, plan: Plan, verb: str) -> None:
    place = sold_by_stripe(verb, plan)
    chosen = make_plan("business") if verb == "change_plan" else plan
    before = everything()
    typed = {"provider_subscription_id": KEY} if verb == "hand_to_provider" else {}
    body = preview(client, place, verb, chosen, **typed)
    assert "Stripe is not told: its subscription" in body
    assert SAID[verb] in body
    assert f'href="{PAGE}"' in body
    assert everything() == before


def test_every_verb_of_a_subscription_stands_above() -> None:
    money = {name for name, verb in VERBS.items() if verb.section == "subscription"} - {"cancel_pending_change"}
    assert money - {"close_review"} == set(SAID)


def test_what_ended_at_stripe_and_what_nobody_sells_charges_nothing(client: Client, plan: Plan) -> None:
    place = sold_by_stripe("end", plan)
    mirrored = ProviderSubscription.objects.create(
        organization_id=place.organization_id,
        provider="stripe",
        external_id=KEY,
        status=ProviderSubscriptionStatus.ENDED,
        news_at=clock.now(),
    )
    assert "is over there and charges nothing." in preview(client, place, "end", plan)
    mirrored.delete()
    WorkspaceSubscription.objects.update(provider="", provider_subscription_id="")
    assert "Nothing is sent to Stripe or Orb, and nothing is charged" in preview(client, place, "end", plan)


def test_a_renewal_that_is_wanted_again_says_that_stripe_may_end_it(client: Client, plan: Plan) -> None:
    place = sold_by_stripe("set_cancel_at_period_end", plan)
    WorkspaceSubscription.objects.update(cancel_at_period_end=True)
    body = preview(client, place, "set_cancel_at_period_end", plan, value="no")
    assert "ends all the same if it was cancelled at Stripe" in body


def test_the_page_links_to_the_object_at_the_provider(client: Client, plan: Plan) -> None:
    place = sold_by_stripe("end", plan)
    assert f'href="{PAGE}"' in client.get(url_of(place.workspace_id)).content.decode()
