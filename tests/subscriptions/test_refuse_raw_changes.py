"""The database holds the rules by itself: raw SQL, the whole matrix of states and the coherence of dates."""

from __future__ import annotations

import itertools
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from apps.core import clock
from apps.subscriptions.contracts import Activate, SetSubscriptionStatus, WorkspacePlace
from apps.subscriptions.enums import PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig, Plan, WorkspaceSubscription
from apps.subscriptions.rules.payment_transitions import SUBSCRIPTION_STATUS_MAY_BECOME, status_pairs
from apps.subscriptions.rules.transitions import MAY_BECOME
from apps.subscriptions.services import note_add, payment_config_change
from tests.contexts import console_context
from tests.subscriptions.cast import lead_to, make_place, make_plan, staff_change
from tests.subscriptions.test_change_payment_config import make_config

pytestmark = pytest.mark.django_db
SUBSCRIPTION = "UPDATE subscriptions_workspacesubscription SET {} WHERE workspace_id = %s"
CONFIG = "UPDATE subscriptions_organizationpaymentconfig SET {} WHERE organization_id = %s"


def raw(statement: str, *parameters: UUID | str) -> bool:
    """Whether the database takes the statement."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    except DatabaseError:
        return False
    return True


@pytest.fixture(scope="module")
def place(lasting_db: None) -> WorkspacePlace:
    return make_place()


@pytest.fixture(scope="module")
def plan(lasting_db: None) -> Plan:
    return make_plan()


@pytest.mark.parametrize(("source", "target"), list(itertools.product(SubscriptionState, SubscriptionState)))
def test_raw_moves_of_a_subscription(
    place: WorkspacePlace, plan: Plan, source: SubscriptionState, target: SubscriptionState
) -> None:
    lead_to(place, source, PlanId(plan.pk))
    dates = "ended_at = " + ("now() + interval '1 hour'" if target == "ended" else "NULL")
    dates += ", trial_ends_at = now()"
    is_taken = raw(SUBSCRIPTION.format(f"state = '{target.value}', {dates}"), place.workspace_id)
    assert is_taken is (target == source or target in MAY_BECOME[source])


@pytest.mark.parametrize(("source", "target"), list(itertools.product(PaymentStatus, PaymentStatus)))
def test_raw_moves_of_a_payment_status(source: PaymentStatus, target: PaymentStatus) -> None:
    end = "now()" if target == "grace_period" else "NULL"
    statement = CONFIG.format(f"payment_status = '{target.value}', grace_period_end_at = {end}")
    is_taken = raw(statement, make_config(source))
    assert is_taken is (target == source or (source.value, target.value) in set(status_pairs()))


@pytest.mark.parametrize(("source", "target"), list(itertools.product(SubscriptionStatus, SubscriptionStatus)))
def test_raw_moves_of_a_subscription_status(source: SubscriptionStatus, target: SubscriptionStatus) -> None:
    organization_id = make_config()
    ways = {"pre_subscription": [], "subscribed": ["subscribed"], "unsubscribed": ["subscribed", "unsubscribed"]}
    for status in ways[source.value]:
        change = SetSubscriptionStatus(SubscriptionStatus(status))
        payment_config_change(console_context(), organization_id=organization_id, change=change)
    is_taken = raw(CONFIG.format(f"subscription_status = '{target.value}'"), organization_id)
    assert is_taken is (target == source or target in SUBSCRIPTION_STATUS_MAY_BECOME[source])


@pytest.mark.parametrize("state", list(SubscriptionState))
def test_a_first_record_starts_as_a_trial_or_active(
    place: WorkspacePlace, plan: Plan, state: SubscriptionState
) -> None:
    statement = (
        "INSERT INTO subscriptions_workspacesubscription (id, workspace_id, plan_id, state, started_at, trial_ends_at,"
        " ended_at, cancel_at_period_end, managed_by, provider, provider_subscription_id, version, created_at)"
        " VALUES (gen_random_uuid(), %s, %s, %s, now(), now(), CASE WHEN %s = 'ended' THEN now() END, false, 'staff',"
        " '', '', 1, now())"
    )
    assert raw(statement, place.workspace_id, plan.pk, state.value, state.value) is (state in {"trialing", "active"})


INCOHERENT = [
    "state = 'unheard_of'",
    "managed_by = 'stripe'",
    "managed_by = 'nobody'",
    "provider = 'stripe'",
    "provider_subscription_id = 'sub_1'",
    "managed_by = 'orb', provider = 'stripe', provider_subscription_id = 'sub_1'",
    "current_period_end = NULL",
    "current_period_start = NULL",
    "current_period_end = current_period_start",
    "state = 'ended'",
    "ended_at = now()",
    "state = 'ended', ended_at = started_at - interval '1 second'",
    "state = 'ended', ended_at = NULL",
    "workspace_id = gen_random_uuid()",
]


@pytest.mark.parametrize("change", INCOHERENT)
def test_incoherent_subscriptions_are_refused(place: WorkspacePlace, plan: Plan, change: str) -> None:
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    before = WorkspaceSubscription.objects.values().get(workspace=place.workspace_id)
    assert not raw(SUBSCRIPTION.format(change), place.workspace_id)
    assert WorkspaceSubscription.objects.values().get(workspace=place.workspace_id) == before


def test_a_trial_without_an_end_is_refused(place: WorkspacePlace, plan: Plan) -> None:
    lead_to(place, SubscriptionState.TRIALING, PlanId(plan.pk))
    assert not raw(SUBSCRIPTION.format("trial_ends_at = NULL"), place.workspace_id)


@pytest.mark.parametrize(
    "change",
    [
        "payment_status = 'unheard_of'",
        "payment_status = 'grace_period'",
        "grace_period_end_at = now()",
        "usage_category_override = 'regular'",
        "grace_period_days = 0",
        "grace_period_days = 366",
        "payment_provider_id = ''",
        "orb_customer_id = ''",
        "organization_id = gen_random_uuid()",
    ],
)
def test_incoherent_payment_configs_are_refused(change: str) -> None:
    organization_id = make_config()
    before = OrganizationPaymentConfig.objects.values().get(organization=organization_id)
    assert not raw(CONFIG.format(change), organization_id)
    assert OrganizationPaymentConfig.objects.values().get(organization=organization_id) == before


def test_there_is_one_current_record_a_workspace(place: WorkspacePlace, plan: Plan) -> None:
    staff_change(place, Activate(PlanId(plan.pk)))
    with pytest.raises(DatabaseError), transaction.atomic():
        WorkspaceSubscription.objects.create(
            workspace_id=place.workspace_id, plan=plan, state=SubscriptionState.ACTIVE, started_at=clock.now()
        )


def test_every_raw_change_moves_the_version_on_and_no_change_leaves_it(place: WorkspacePlace, plan: Plan) -> None:
    staff_change(place, Activate(PlanId(plan.pk)))
    record = WorkspaceSubscription.objects.filter(workspace=place.workspace_id)
    record.update(cancel_at_period_end=True)
    record.update(cancel_at_period_end=True)
    record.update(version=77)
    assert record.get().version == 2


def test_notes_are_never_overwritten(place: WorkspacePlace) -> None:
    note = note_add(console_context(), workspace_id=place.workspace_id, text="Call them on Monday.")
    assert not raw("UPDATE subscriptions_workspacenote SET text = 'x' WHERE id = %s", note.pk)
    assert not raw("DELETE FROM subscriptions_workspacenote WHERE id = %s", note.pk)
    note.refresh_from_db()
    assert (note.text, note.author_label) == ("Call them on Monday.", "console:tester")
    assert note.written_at <= clock.now() + timedelta(seconds=1)
