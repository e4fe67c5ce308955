"""Previews: equal to the outcome, leave nothing behind, and are refused once anything has moved on (spec 03; P12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.context import Actor, ExecutionContext
from apps.core.enums import ActorKind, LifecycleState
from apps.core.errors import ConflictError, CountinghouseError
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.core.registry import Registry, RegistryError
from apps.subscriptions import preview as previews
from apps.subscriptions.contracts import Activate, End, Lock, Suspend, WorkspacePlace
from apps.subscriptions.ids import PlanId
from apps.subscriptions.messages import workspace_lifecycle_access
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.preview import Preview, apply_previewed, preview
from apps.subscriptions.rules.lifecycle import LifecycleDecision
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.subscriptions.selectors.records import PREVIEWED_STATE
from apps.subscriptions.services import overlay_set, payment_config_change, pending_change_record
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context, staff_context
from tests.sizes import size
from tests.subscriptions.cast import REASON, chance_of, make_place, make_plan, staff_change
from tests.subscriptions.mutations import Calendar, Mutation, organization_closing, random_mutation, use_calendar

pytestmark = pytest.mark.django_db
SEED = 20260403

MUTATIONS = size(small=60, full=1_000)


def everything(place: WorkspacePlace) -> list[object]:
    """What a preview must leave as it was."""
    return [
        list(WorkspaceSubscription.objects.filter(workspace=place.workspace_id).values()),
        list(OrganizationPaymentConfig.objects.filter(organization=place.organization_id).values()),
        list(Workspace.objects.filter(pk=place.workspace_id).values()),
        list(Organization.objects.filter(pk=place.organization_id).values()),
        AuditEntry.objects.filter(organization_id=place.organization_id).count(),
    ]


def answer(decision: LifecycleDecision) -> tuple[object, ...]:
    """What a decision says, without the dates in its words, which a preview can't know to the millisecond."""
    return decision.state, decision.source, [(step.rule, step.outcome) for step in decision.trace]


@dataclass
class Tried:
    """How often previews were compared, and where they were wrong."""

    applied: int = 0
    refused: int = 0
    wrong: int = 0


def see(context: ExecutionContext, place: WorkspacePlace, mutation: Mutation) -> Preview:
    return preview(
        context, workspace_id=place.workspace_id, verb=mutation.verb, inputs=mutation.inputs, run=mutation.run
    )


def apply(context: ExecutionContext, place: WorkspacePlace, mutation: Mutation, token: str) -> object:
    return apply_previewed(
        context,
        token=token,
        workspace_id=place.workspace_id,
        verb=mutation.verb,
        inputs=mutation.inputs,
        run=mutation.run,
    )


def try_mutations(count: int) -> Tried:
    chance, context, tried = chance_of(SEED), staff_context(), Tried()
    plan_id, place = PlanId(make_plan().pk), make_place()
    for _ in range(count):
        mutation = random_mutation(chance, place, plan_id, context)
        before = everything(place)
        try:
            seen = see(context, place, mutation)
        except CountinghouseError as refusal:
            assert everything(place) == before
            with pytest.raises(type(refusal)) as again:
                mutation.run()
            tried.wrong += again.value.problem_code != refusal.problem_code
            tried.refused += 1
            continue
        assert everything(place) == before
        assert answer(seen.before) == answer(workspace_lifecycle(place.workspace_id))
        apply(context, place, mutation, seen.token)
        tried.wrong += answer(seen.after) != answer(workspace_lifecycle(place.workspace_id))
        tried.applied += 1
    return tried


@pytest.mark.prove(
    "P12 the preview equals the outcome", size=MUTATIONS, control="a preview that does not run the change is caught"
)
def test_the_preview_equals_the_outcome() -> None:
    count = MUTATIONS
    tried = try_mutations(count)
    assert (tried.applied + tried.refused, tried.wrong) == (count, 0)
    assert tried.applied > count // 4


def test_a_preview_that_does_not_run_the_change_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(context: ExecutionContext, **arguments: object) -> Preview:
        arguments["run"] = lambda: None
        return previews.preview(context, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(f"{__name__}.preview", guess)
    with pytest.raises(CountinghouseError):  # what the change refuses is not refused by the guess
        assert try_mutations(60).wrong == 0


@pytest.fixture
def place() -> WorkspacePlace:
    place = make_place()
    staff_change(place, Activate(PlanId(make_plan().pk)))
    return place


def suspension(place: WorkspacePlace, context: ExecutionContext) -> Mutation:
    return Mutation("suspend", {"reason": REASON}, lambda: staff_change(place, Suspend(), context))


def refusal_of(context: ExecutionContext, place: WorkspacePlace, mutation: Mutation, token: str) -> ConflictError:
    before = everything(place)
    with pytest.raises(ConflictError) as refusal:
        apply(context, place, mutation, token)
    assert everything(place) == before
    return refusal.value


def test_what_a_preview_says(place: WorkspacePlace) -> None:
    context = staff_context()
    seen = see(context, place, suspension(place, context))
    assert (seen.before.state, seen.after.state) == ("active", "suspended_read_only")
    changed = ["consume", "edit_connectors", "replace_credential", "sync", "invite"]
    assert [change.need.value for change in seen.allowance_changes] == changed
    assert not seen.operations_allowed
    suspension(place, context).run()
    shown = workspace_lifecycle_access(replace(context, workspace_id=place.workspace_id), time_zone="Etc/UTC").banner
    assert shown is not None
    assert seen.tenant_sees == f"{shown.title}. {shown.why} {shown.remedy}"


def test_lines_of_the_apps_above_are_asked_inside_the_transaction(
    place: WorkspacePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_consequences", Registry("preview consequence"))

    def watch(workspace_id: WorkspaceId) -> Callable[[], list[str]]:
        before = workspace_lifecycle(workspace_id)
        return lambda: [f"2 connectors: {before.state} → {workspace_lifecycle(workspace_id).state}"]

    previews.register_consequence("connectors", watch)
    with pytest.raises(RegistryError):
        previews.register_consequence("connectors", watch)
    context = staff_context()
    lines = see(context, place, suspension(place, context)).consequences
    assert lines == ("2 connectors: active → suspended_read_only",)


MOVERS: dict[str, Callable[[WorkspacePlace], object]] = {
    "subscription": lambda place: staff_change(place, End()),
    "payment config": lambda place: payment_config_change(
        console_context(), organization_id=place.organization_id, change=Lock()
    ),
    "overlay": lambda place: overlay_set(
        console_context(), workspace_id=place.workspace_id, state=LifecycleState.TRIAL, reason=REASON
    ),
    "organization": lambda place: organization_closing(console_context(), place, is_closed=True),
    "scheduled change": lambda place: pending_change_record(
        staff_context(), workspace_id=place.workspace_id, due_at=clock.now() + timedelta(days=9), reason=REASON
    ),
}


def test_every_state_that_a_token_covers_is_moved_here() -> None:
    assert len(MOVERS) == len(PREVIEWED_STATE)


@pytest.mark.parametrize("moved", MOVERS)
def test_a_state_that_moved_on_refuses_the_token_and_tells_what_changed(place: WorkspacePlace, moved: str) -> None:
    context = staff_context()
    mutation = suspension(place, context)
    token = see(context, place, mutation).token
    MOVERS[moved](place)
    refusal = refusal_of(context, place, mutation, token)
    assert refusal.problem_code == "preview_stale"
    assert [step.rule for step in refusal.explanation] == ["changed_since"]


def test_a_raw_change_too_refuses_the_token(place: WorkspacePlace) -> None:
    context = staff_context()
    mutation = suspension(place, context)
    token = see(context, place, mutation).token
    WorkspaceSubscription.objects.update(cancel_at_period_end=True)
    assert refusal_of(context, place, mutation, token).problem_code == "preview_stale"


def test_a_token_is_for_its_actor_workspace_verb_and_inputs(place: WorkspacePlace) -> None:
    context, other_place = staff_context(), make_place()
    mutation = suspension(place, context)
    token = see(context, place, mutation).token
    stranger = replace(context, actor=Actor(ActorKind.USER, "someone-else", context.actor.label))
    cases = [
        (stranger, place, mutation, token),
        (context, other_place, mutation, token),
        (context, place, replace(mutation, verb="end"), token),
        (context, place, replace(mutation, inputs={"reason": "another"}), token),
        (context, place, mutation, token[:-1] + ("a" if token[-1] != "a" else "b")),
        (context, place, mutation, "nonsense"),
    ]
    for case in cases:
        assert refusal_of(*case).problem_code == "preview_mismatch"
    apply(context, place, mutation, token)


def test_a_token_expires(place: WorkspacePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    calendar: Calendar = use_calendar(monkeypatch, clock.now())
    context = staff_context()
    mutation = suspension(place, context)
    token = see(context, place, mutation).token
    calendar.turn(previews.VALID_FOR + timedelta(seconds=1))
    assert refusal_of(context, place, mutation, token).problem_code == "preview_expired"


def test_a_token_is_used_once(place: WorkspacePlace) -> None:
    context = staff_context()
    mutation = suspension(place, context)
    token = see(context, place, mutation).token
    apply(context, place, mutation, token)
    assert refusal_of(context, place, mutation, token).problem_code == "preview_stale"
