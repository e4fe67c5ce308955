"""subscription_change: the whole matrix of states and verbs on real PostgreSQL, and everything that it refuses."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.audit import verify_audit
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import (
    Activate,
    End,
    HandToProvider,
    Period,
    Resume,
    StartTrial,
    SubscriptionChange,
    Suspend,
    WorkspacePlace,
)
from apps.subscriptions.differences import management_difference
from apps.subscriptions.enums import Provider, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, ProviderEvidence, WorkspaceSubscription
from apps.subscriptions.rules.transitions import MAY_BECOME, SUBSCRIPTION_TRANSITIONS, is_legal, verb_between
from apps.subscriptions.services import subscription_change
from tests.contexts import product_context, staff_context
from tests.factories.tenants import make_product
from tests.subscriptions.cast import (
    REASON,
    every_change,
    lead_to,
    make_place,
    make_plan,
    news,
    provider_context,
    staff_change,
    version_of,
)

pytestmark = pytest.mark.django_db
STATES = [None, *SubscriptionState]
VERBS = list(SUBSCRIPTION_TRANSITIONS)

# The first table of spec 03, written a second time.
SPEC_TABLE = {
    "trialing": {"active", "past_due", "suspended", "ended"},
    "active": {"past_due", "suspended", "ended"},
    "past_due": {"active", "suspended", "ended"},
    "suspended": {"active", "past_due", "ended"},
    "ended": {"trialing", "active"},
}


@pytest.fixture
def plan() -> Plan:
    return make_plan()


def everything(place: WorkspacePlace) -> tuple[object, ...]:
    """What a refused change must leave as it was."""
    record = WorkspaceSubscription.objects.filter(workspace=place.workspace_id).values().first()
    entries = AuditEntry.objects.filter(organization_id=place.organization_id).count()
    return record, entries, ProviderEvidence.objects.filter(workspace=place.workspace_id).count()


def refuse(place: WorkspacePlace, change: SubscriptionChange, context: ExecutionContext, **more: object) -> str:
    """The code with which the change is refused; nothing of it may stay."""
    before = everything(place)
    arguments = {"reason": REASON, "expected_version": version_of(place.workspace_id), **more}
    with pytest.raises(CountinghouseError) as refusal:
        subscription_change(context, workspace_id=place.workspace_id, change=change, **arguments)  # type: ignore[arg-type]
    assert everything(place) == before
    return refusal.value.problem_code


def test_the_table_of_states_is_that_of_spec_03() -> None:
    assert {source.value: {target.value for target in targets} for source, targets in MAY_BECOME.items()} == SPEC_TABLE


# People take a late payment back by Resume; Activate leads there too, with a plan and dates.
_BY_TWO_VERBS = {(SubscriptionState.PAST_DUE, SubscriptionState.ACTIVE)}


def test_each_allowed_pair_of_states_has_its_verb_and_no_other_pair_has_one() -> None:
    for source, target in itertools.product(SubscriptionState, SubscriptionState):
        verbs = [
            row.verb for row in SUBSCRIPTION_TRANSITIONS.values() if row.target is target and source in row.sources
        ]
        is_double = (source, target) in _BY_TWO_VERBS
        assert len(verbs) == (target.value in SPEC_TABLE[source.value]) + is_double, (source, target)
        assert verb_between(source, target) == (verbs[0] if verbs else None)


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(STATES, VERBS)))
@pytest.mark.slow
def test_the_whole_matrix_of_states_and_verbs(plan: Plan, state: SubscriptionState | None, verb: str) -> None:
    place = make_place()
    lead_to(place, state, PlanId(plan.pk))
    if verb == "take_over" and state is not None:
        staff_change(place, HandToProvider(Provider.STRIPE, "sub_9"))
    change = every_change(PlanId(make_plan("another").pk if verb == "change_plan" else plan.pk))[verb]
    transition = SUBSCRIPTION_TRANSITIONS[verb]
    entries = AuditEntry.objects.filter(organization_id=place.organization_id).count()

    if not is_legal(verb, state):
        assert refuse(place, change, staff_context()) == "illegal_transition"
        return
    seen = version_of(place.workspace_id)
    outcome = staff_change(place, change)

    record = WorkspaceSubscription.objects.get(workspace=place.workspace_id)
    assert outcome.is_applied
    assert record.state == (transition.target or state)
    assert record.version == seen + 1
    assert AuditEntry.objects.filter(organization_id=place.organization_id).count() == entries + 1
    entry = AuditEntry.objects.filter(organization_id=place.organization_id).latest("sequence")
    assert (entry.event, entry.reason) == (transition.event.name, REASON)
    assert entry.after["state"] == record.state
    assert entry.before.get("version", 0) == seen
    assert all(report.is_sound for report in verify_audit(place.organization_id))


def test_an_illegal_change_names_the_legal_ones(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.SUSPENDED, PlanId(plan.pk))
    with pytest.raises(ConflictError, match=r"suspended; Suspend is not possible.*Resume.*End") as refusal:
        staff_change(place, Suspend())
    legal = [step.fact for step in refusal.value.explanation if step.rule == "legal_verb"]
    assert legal == [row.verb for row in SUBSCRIPTION_TRANSITIONS.values() if "suspended" in row.sources]


def test_a_stale_version_is_refused_with_what_changed_in_between(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    seen = version_of(place.workspace_id)
    staff_change(place, Suspend())
    staff_change(place, Resume())

    with pytest.raises(ConflictError) as refusal:
        subscription_change(
            staff_context(), workspace_id=place.workspace_id, change=End(), reason=REASON, expected_version=seen
        )
    assert refusal.value.problem_code == "version_conflict"
    facts = [step.fact for step in refusal.value.explanation]
    assert ["active → suspended" in facts[0], "suspended → active" in facts[1], len(facts)] == [True, True, 2]
    assert refuse(place, End(), staff_context(), expected_version=seen) == "version_conflict"


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_person_owes_a_reason(plan: Plan, reason: str) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    assert refuse(place, End(), staff_context(), reason=reason) == "reason_required"


def test_everybody_but_a_provider_owes_the_version_that_was_seen(plan: Plan) -> None:
    place = make_place()
    assert refuse(place, Activate(PlanId(plan.pk)), staff_context(), expected_version=None) == "impossible_value"


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OWNER, Role.ADMIN, Role.STAFF_READER])
def test_who_may_not_changes_nothing(plan: Plan, role: Role) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    assert refuse(place, End(), staff_context(role)) == "not_allowed"


def test_a_product_may_not(plan: Plan) -> None:
    place = make_place()
    with pytest.raises(ForbiddenError):
        staff_change(place, Activate(PlanId(plan.pk)), product_context(make_product()))


def test_an_unknown_workspace_and_impossible_values(plan: Plan) -> None:
    place, now, plan_id = make_place(), clock.now(), PlanId(plan.pk)
    with pytest.raises(NotFoundError):
        staff_change(WorkspacePlace(place.organization_id, place.organization_id), End())  # type: ignore[arg-type]
    assert refuse(place, StartTrial(plan_id, now - timedelta(days=1)), staff_context()) == "impossible_value"
    assert refuse(place, Activate(plan_id, Period(now, now)), staff_context()) == "impossible_value"
    assert refuse(place, Activate(), staff_context()) == "impossible_value"
    assert refuse(place, Activate(PlanId(place.workspace_id)), staff_context()) == "unknown_plan"


def test_a_new_start_has_dates_of_its_own(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ENDED, PlanId(plan.pk))
    first = WorkspaceSubscription.objects.get(workspace=place.workspace_id)
    staff_change(place, StartTrial(PlanId(plan.pk), clock.now() + timedelta(days=3)))
    second = WorkspaceSubscription.objects.get(workspace=place.workspace_id)
    assert first.pk == second.pk
    assert (second.ended_at, second.current_period_end) == (None, None)
    assert second.started_at > first.started_at


def test_a_provider_changes_only_what_it_manages(plan: Plan) -> None:
    place, stripe, orb = make_place(), provider_context(), provider_context(Provider.ORB)
    activate = Activate(PlanId(plan.pk))
    started = subscription_change(stripe, workspace_id=place.workspace_id, change=activate, news=news())
    assert (started.is_applied, version_of(place.workspace_id)) == (True, 1)

    for context, told in ((orb, news(object_id="orb_1")), (stripe, news("canceled", "sub_other"))):
        before = WorkspaceSubscription.objects.values().get(workspace=place.workspace_id)
        outcome = subscription_change(context, workspace_id=place.workspace_id, change=End(), news=told)
        assert not outcome.is_applied
        assert outcome.evidence is not None
        assert WorkspaceSubscription.objects.values().get(workspace=place.workspace_id) == before
    assert management_difference(place.workspace_id) is None  # Stripe is in charge, and spoke last

    # Staff act: management moves to them, with the provider's id kept for the way back.
    staff_change(place, Suspend())
    record = WorkspaceSubscription.objects.get(workspace=place.workspace_id)
    assert (record.managed_by, record.provider_subscription_id) == ("staff", "sub_1")
    kept = subscription_change(stripe, workspace_id=place.workspace_id, change=Resume(), news=news("active"))
    assert (kept.is_applied, version_of(place.workspace_id)) == (False, record.version)
    difference = management_difference(place.workspace_id)
    assert difference is not None
    assert difference.sentence.startswith("Stripe says active since")
    assert "set suspended on" in difference.sentence

    staff_change(place, HandToProvider(Provider.STRIPE))
    assert subscription_change(stripe, workspace_id=place.workspace_id, change=Resume(), news=news()).is_applied
    assert WorkspaceSubscription.objects.get(workspace=place.workspace_id).managed_by == "stripe"


def test_a_providers_subscription_belongs_to_one_workspace(plan: Plan) -> None:
    place, other = make_place(), make_place()
    activate = Activate(PlanId(plan.pk))
    subscription_change(provider_context(), workspace_id=place.workspace_id, change=activate, news=news())
    assert refuse(other, activate, provider_context(), news=news()) == "provider_subscription_taken"


def test_a_provider_owes_its_news(plan: Plan) -> None:
    place = make_place()
    assert refuse(place, Activate(PlanId(plan.pk)), provider_context()) == "impossible_value"


def test_a_provider_may_not_settle_who_manages(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    assert refuse(place, HandToProvider(Provider.STRIPE, "sub_1"), provider_context()) == "not_allowed"


def test_saying_the_same_again_is_refused_and_leaves_no_entry(plan: Plan) -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    assert refuse(place, every_change(PlanId(plan.pk))["change_plan"], staff_context()) == "nothing_to_change"
    assert refuse(place, every_change(PlanId(plan.pk))["take_over"], staff_context()) == "nothing_to_change"


def test_handing_over_without_any_id_is_refused() -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    with pytest.raises(UnprocessableError):
        staff_change(place, HandToProvider(Provider.ORB))
