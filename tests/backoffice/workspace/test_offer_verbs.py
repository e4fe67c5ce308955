"""Role x verb x state, generated from the tables of transitions: what is offered, what is refused, what it changes."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.backoffice.workspace.verbs import VERBS
from apps.core import clock
from apps.core.enums import ActorKind, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.core.operations import OPERATIONS, reaches
from apps.subscriptions.contracts import (
    EndGrace,
    Lock,
    MarkOkay,
    PaymentConfigChange,
    SetManual,
    StartGrace,
    WorkspacePlace,
)
from apps.subscriptions.enums import PaymentStatus, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.rules.payment_transitions import PAYMENT_TRANSITIONS
from apps.subscriptions.rules.transitions import SUBSCRIPTION_TRANSITIONS
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Workspace
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import WHY, do, everything, fields_of, post, url_of
from tests.contexts import staff_context
from tests.subscriptions.cast import REASON, lead_to, make_place, make_plan, provider_context

pytestmark = pytest.mark.django_db

ROLES = (Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN)
STATES = (None, *SubscriptionState)
Places = dict[SubscriptionState | None, WorkspacePlace]
Clients = dict[Role, Client]


@pytest.fixture(scope="module")
def plan(lasting_db: None) -> Plan:
    return make_plan()


@pytest.fixture(scope="module")
def in_state(plan: Plan) -> Places:
    """A workspace in each state; what a test makes of it is undone."""
    return {state: place_in(state, plan) for state in STATES}


@pytest.fixture(scope="module")
def with_status(lasting_db: None) -> dict[PaymentStatus, WorkspacePlace]:
    """A workspace of an organization with each payment status."""
    return {status: place_with(status) for status in PaymentStatus}


@pytest.fixture(scope="module")
def clients(lasting_db: None) -> Clients:
    """Somebody with each role, signed in."""
    return {role: client_of(role) for role in ROLES}


def offered(client: Client, workspace_id: WorkspaceId) -> set[str]:
    """The verbs whose dialogs the page leads to."""
    body = client.get(url_of(workspace_id)).content.decode()
    return {name for name in VERBS if f'href="{url_of(workspace_id, name)}"' in body}


def place_in(state: SubscriptionState | None, plan: Plan) -> WorkspacePlace:
    place = make_place()
    lead_to(place, state, PlanId(plan.pk))
    return place


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", STATES)
def test_subscription_verbs_are_offered_as_the_table_says(
    role: Role, state: SubscriptionState | None, in_state: Places, clients: Clients
) -> None:
    legal = {
        name
        for name, row in SUBSCRIPTION_TRANSITIONS.items()
        if state in row.sources and reaches(role, OPERATIONS[row.operation].platform_role)
    } - {"take_over"}  # staff manage the record already
    assert offered(clients[role], in_state[state].workspace_id) & set(SUBSCRIPTION_TRANSITIONS) == legal


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", sorted(set(SUBSCRIPTION_TRANSITIONS) - {"take_over"}))
@pytest.mark.slow
def test_a_subscription_verb_does_what_it_says_or_changes_nothing(
    verb: str, state: SubscriptionState | None, plan: Plan, in_state: Places, clients: Clients
) -> None:
    place, client = in_state[state], clients[Role.BILLING_OPERATIONS]
    other = make_plan("other") if verb == "change_plan" else plan
    before = everything()
    is_done = do(client, place.workspace_id, verb, fields_of(verb, place.workspace_id, other))
    row = SUBSCRIPTION_TRANSITIONS[verb]
    assert is_done is (state in row.sources)
    if not is_done:
        assert everything() == before
    else:
        entry = AuditEntry.objects.get(event=row.event.name, reason=WHY)
        assert (entry.role, entry.workspace_id) == ("billing_operations", place.workspace_id)


_WAYS: dict[PaymentStatus, list[PaymentConfigChange]] = {
    PaymentStatus.UNINITIALIZED: [],
    PaymentStatus.OKAY: [MarkOkay()],
    PaymentStatus.GRACE_PERIOD: [StartGrace(clock.now())],
    PaymentStatus.DISABLED: [StartGrace(clock.now()), EndGrace()],
    PaymentStatus.LOCKED: [Lock()],
    PaymentStatus.MANUAL: [SetManual()],
}
STAFF_PAYMENT_VERBS = sorted(name for name, row in PAYMENT_TRANSITIONS.items() if ActorKind.USER in row.who)


def place_with(status: PaymentStatus) -> WorkspacePlace:
    place = make_place()
    for change in _WAYS[status]:
        context = provider_context() if isinstance(change, MarkOkay) else staff_context()
        payment_config_change(context, organization_id=place.organization_id, change=change, reason=REASON)
    return place


def test_every_verb_of_the_tables_that_staff_have_is_on_the_page() -> None:
    assert set(VERBS) >= set(SUBSCRIPTION_TRANSITIONS) | set(STAFF_PAYMENT_VERBS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("status", PaymentStatus)
def test_payment_verbs_are_offered_as_the_table_says(
    role: Role, status: PaymentStatus, with_status: dict[PaymentStatus, WorkspacePlace], clients: Clients
) -> None:
    legal = {
        name
        for name in STAFF_PAYMENT_VERBS
        if status in PAYMENT_TRANSITIONS[name].sources
        and reaches(role, OPERATIONS[PAYMENT_TRANSITIONS[name].operation].platform_role)
    }
    assert offered(clients[role], with_status[status].workspace_id) & set(PAYMENT_TRANSITIONS) == legal


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("verb", STAFF_PAYMENT_VERBS)
@pytest.mark.slow
def test_a_payment_verb_does_what_it_says_or_changes_nothing(
    verb: str, status: PaymentStatus, plan: Plan, with_status: dict[PaymentStatus, WorkspacePlace], clients: Clients
) -> None:
    place, client = with_status[status], clients[Role.BILLING_OPERATIONS]
    before = everything()
    is_done = do(client, place.workspace_id, verb, fields_of(verb, place.workspace_id, plan))
    row = PAYMENT_TRANSITIONS[verb]
    assert is_done is (status in row.sources)
    if not is_done:
        assert everything() == before
    else:
        assert AuditEntry.objects.get(event=row.event.name, reason=WHY).organization_id == place.organization_id


@pytest.mark.parametrize("verb", VERBS)
def test_a_role_without_permission_is_refused_and_changes_nothing(
    verb: str, plan: Plan, in_state: Places, clients: Clients
) -> None:
    place = in_state[SubscriptionState.ACTIVE]
    client, fields = clients[Role.SUPPORT], fields_of(verb, place.workspace_id, plan)
    before = everything()
    is_permitted = reaches(Role.SUPPORT, OPERATIONS[VERBS[verb].operation].platform_role)
    assert is_permitted is (verb == "add_note")
    for step in ("preview", "apply") if not is_permitted else ():
        status, _, _ = post(client, place.workspace_id, verb, {**fields, "step": step, "token": "made-up"})
        assert status == 403
    assert everything() == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_a_verb_that_is_not_possible_says_so_instead_of_a_form(verb: str, in_state: Places, clients: Clients) -> None:
    place, client = in_state[SubscriptionState.ENDED], clients[Role.PLATFORM_ADMIN]
    body = client.get(url_of(place.workspace_id, verb)).content.decode()
    assert ('name="reason"' in body) is (verb in offered(client, place.workspace_id))


def test_as_of_a_moment_nothing_is_offered(plan: Plan) -> None:
    place = place_in(SubscriptionState.ACTIVE, plan)
    at = Workspace.objects.get(pk=place.workspace_id).created_at.isoformat()
    answer = client_of(Role.PLATFORM_ADMIN).get(url_of(place.workspace_id), {"at": at})
    body = answer.content.decode()
    assert "You can't change anything here" in body
    assert not {name for name in VERBS if f'href="{url_of(place.workspace_id, name)}"' in body}


def test_the_organization_is_the_one_of_the_page(plan: Plan) -> None:
    place, other = place_in(SubscriptionState.ACTIVE, plan), place_in(SubscriptionState.ACTIVE, plan)
    do(client_of(Role.BILLING_OPERATIONS), place.workspace_id, "end", fields_of("end", place.workspace_id, plan))
    entry = AuditEntry.objects.get(event="subscription.ended", reason=WHY)
    assert OrganizationId(entry.organization_id) == place.organization_id != other.organization_id  # type: ignore[arg-type]
