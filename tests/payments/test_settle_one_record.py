"""The steps of settling one workspace's record, each told by what it calls (spec 03, 04)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, UnprocessableError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.payments import workspace_sync
from apps.payments.enums import ReviewKind
from apps.payments.events import REVIEW_CLOSED
from apps.payments.models import ProviderSubscription, Review
from apps.payments.record_steps import Step
from apps.payments.workspace_sync import review_close
from apps.subscriptions.contracts import Activate, End, HandToProvider, Suspend
from apps.subscriptions.enums import ManagedBy, Provider, SubscriptionState
from apps.subscriptions.models import WorkspaceSubscription
from tests.contexts import console_context, staff_context
from tests.payments.cast import NOON, make_tenant
from tests.subscriptions.cast import REASON, news

WORKSPACE, OURS, OTHERS = WorkspaceId(UUID(int=1)), OrganizationId(UUID(int=2)), OrganizationId(UUID(int=3))
TARGET = ProviderSubscription(provider="stripe", external_id="sub_1")


class Told:
    """Stands in for functions of the module; notes their names in the order of the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self.names, self.given = monkeypatch, list[str](), dict[str, Any]()

    def instead_of(self, name: str, answer: Any = None) -> None:
        def call(*given: Any, **named: Any) -> Any:
            self.names.append(name)
            self.given[name] = (given, named)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self._monkeypatch.setattr(workspace_sync, name, call)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


RECORDS = [None, *itertools.product(ManagedBy, (False, True))]
NEWS = news()
SUSPENDS, ENDS = Step(Suspend(), NEWS), Step(End(), NEWS)
STEPS = {"none": [], "suspend": [SUSPENDS], "end": [ENDS], "both": [SUSPENDS, ENDS]}


@pytest.mark.django_db
@pytest.mark.parametrize("held", RECORDS)
@pytest.mark.parametrize("has_target", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_staff_keep_what_they_manage_and_providers_lead_the_rest(
    held: tuple[ManagedBy, bool] | None, has_target: bool, steps: str, told: Told
) -> None:
    """What staff ended is theirs until something starts later; connectors follow where a verb may switch them."""
    record, ended = None, held is not None and held[1]
    if held is not None:
        record = WorkspaceSubscription(managed_by=held[0].value, ended_at=NOON if ended else None)
    target = TARGET if has_target else None
    answers: dict[str, Any] = {
        "workspace_for_update": None,
        "workspace_subscription_for_update": record,
        "mirrored_subscriptions": {},
        "ended_by_staff": ended,
        "_target": target,
        "_store_evidence": None,
        "list_steps": STEPS[steps],
        "lock_connectors": None,
        "_take": None,
        "settle_sync": None,
        "settle_reviews": None,
    }
    for name, answer in answers.items():
        told.instead_of(name, answer)
    workspace_sync.sync_workspace_subscription(console_context(), WORKSPACE)
    is_theirs = held is not None and held[0] is ManagedBy.STAFF and not (ended and has_target)
    done = [name for name in told.names if name in {"_store_evidence", "lock_connectors", "_take", "settle_sync"}]
    if is_theirs:
        assert done == ["_store_evidence"]
    elif has_target:
        taken = ["_take"] * len(STEPS[steps])
        assert done == (["lock_connectors", *taken, "settle_sync"] if steps in {"end", "both"} else taken)
    else:
        assert done == []
    # The workspace is locked before its record is read.
    assert told.names[:2] == ["workspace_for_update", "workspace_subscription_for_update"]
    assert told.given["settle_reviews"][1] == {"staff_ended_at": NOON if ended and has_target else None}


def test_a_record_that_is_handed_back_is_settled_and_any_other_change_settles_connectors(told: Told) -> None:
    for name in ("sync_workspace_subscription", "settle_change", "workspace_subscription_for_update", "settle_reviews"):
        told.instead_of(name)
    told.instead_of("mirrored_subscriptions", {})
    workspace_sync.settle_after_staff(console_context(), workspace_id=WORKSPACE, change=HandToProvider(Provider.STRIPE))
    assert told.names == ["sync_workspace_subscription"]
    told.names.clear()
    workspace_sync.settle_after_staff(console_context(), workspace_id=WORKSPACE, change=End())
    assert [name for name in told.names if name.startswith("settle")] == ["settle_change", "settle_reviews"]


@pytest.mark.parametrize("code", ["nothing_to_change", "unknown_plan"])
def test_a_step_may_change_nothing_and_no_other_conflict_is_passed_over(code: str, told: Told) -> None:
    told.instead_of("subscription_change", ConflictError("no", code=code, title="No"))
    if code == "nothing_to_change":
        workspace_sync._take(console_context(), WORKSPACE, ENDS, "")
    else:
        with pytest.raises(ConflictError):
            workspace_sync._take(console_context(), WORKSPACE, ENDS, "")
    assert told.names == ["subscription_change"]


@pytest.mark.parametrize(("own", "given", "said"), [("a", "b", "a"), ("a", "", "a"), ("", "b", "b"), ("", "", "")])
def test_a_step_has_its_own_reason_or_that_of_the_call(own: str, given: str, said: str, told: Told) -> None:
    told.instead_of("subscription_change")
    workspace_sync._take(console_context(), WORKSPACE, replace(ENDS, reason=own), given)
    assert told.given["subscription_change"][1]["reason"] == said


@pytest.mark.parametrize("state", SubscriptionState)
def test_what_is_kept_as_evidence_is_an_end_or_that_it_runs(state: SubscriptionState, told: Told) -> None:
    told.instead_of("state_of", state)
    for name in ("news_of", "start_of", "subscription_change"):
        told.instead_of(name)
    workspace_sync._store_evidence(console_context(), WORKSPACE, None)
    assert told.names == []
    workspace_sync._store_evidence(console_context(), WORKSPACE, TARGET)
    assert told.given["subscription_change"][1]["change"] == (End() if state.value == "ended" else Activate())


def test_of_a_workspace_that_is_gone_nothing_is_asked(told: Told) -> None:
    told.instead_of("organization_of_workspace")
    workspace_sync.settle_reviews(WORKSPACE, [TARGET])
    assert told.names == ["organization_of_workspace"]


@pytest.mark.django_db
@pytest.mark.parametrize("owner", [OURS, OTHERS, None])
def test_a_subscription_settles_no_workspace_of_another_organization(owner: OrganizationId | None, told: Told) -> None:
    told.instead_of("organization_of_workspace", owner)
    told.instead_of("sync_workspace_subscription")
    mirrored: Any = SimpleNamespace(
        provider="stripe", external_id="sub_1", workspace_id=WORKSPACE, organization_id=OURS
    )
    if owner == OURS:
        workspace_sync.sync_workspaces_of(console_context(), mirrored)
        assert told.names == ["organization_of_workspace", "sync_workspace_subscription"]
    else:
        with pytest.raises(ConflictError) as refused:
            workspace_sync.sync_workspaces_of(console_context(), mirrored)
        assert (refused.value.problem_code, told.names) == (
            "workspace_of_another_organization",
            ["organization_of_workspace"],
        )
    mirrored.workspace_id = None
    told.names.clear()
    workspace_sync.sync_workspaces_of(console_context(), mirrored)
    assert told.names == []


@pytest.mark.django_db
@pytest.mark.parametrize("state", [None, *SubscriptionState])
@pytest.mark.parametrize("was_ended", [False, True])
def test_whether_a_restart_is_wanted_is_asked_while_the_record_runs(
    state: SubscriptionState | None, was_ended: bool, told: Told
) -> None:
    workspace = make_tenant().workspace
    record = None if state is None else WorkspaceSubscription(provider="stripe", state=state.value, started_at=NOON)
    runs = state is not None and state.value != "ended"
    for kind in (ReviewKind.RESTARTED, ReviewKind.PAUSED):
        place = {"organization_id": workspace.organization_id, "workspace_id": workspace.pk}
        Review.objects.create(**place, kind=kind, sentence="Is it?", opened_at=NOON)
    told.instead_of("workspace_subscription_of", record)
    told.instead_of("_questions", {})
    told.instead_of("open_reviews")
    workspace_sync.settle_reviews(WorkspaceId(workspace.pk), [], staff_ended_at=NOON if was_ended else None)
    assert [review.kind for review in Review.objects.all()] == (["restarted"] if runs else [])
    asked = told.given["open_reviews"][0][2]
    assert list(asked) == ([ReviewKind.RESTARTED] if runs and was_ended else [])


@pytest.mark.parametrize("status", ["trialing", "active", "past_due", "paused", "ended"])
@pytest.mark.parametrize("pause", ["", "void"])
@pytest.mark.parametrize("managed_by", [None, *ManagedBy])
@pytest.mark.parametrize("differs", [False, True])
def test_what_is_asked_about_a_record_and_what_it_follows(
    status: str, pause: str, managed_by: ManagedBy | None, differs: bool, told: Told
) -> None:
    row = ProviderSubscription(
        provider="stripe", external_id="sub_1", status=status, pause_behavior=pause, started_at=NOON
    )
    if status == "ended":
        row.ended_at = NOON + timedelta(days=1)
    record = None if managed_by is None else WorkspaceSubscription(managed_by=managed_by.value, state="suspended")
    told.instead_of("contradicts", differs)
    wanted = {
        ReviewKind.PAUSED: pause != "" and status != "ended",
        ReviewKind.DIFFERS: managed_by is ManagedBy.STAFF and differs,
    }
    assert set(workspace_sync._questions(record, [row])) == {kind for kind, is_due in wanted.items() if is_due}


@pytest.mark.django_db
def test_a_review_is_closed_by_staff_with_a_reason_and_that_is_audited() -> None:
    tenant = make_tenant()
    place = {"organization_id": tenant.organization_id, "workspace_id": tenant.workspace.pk}
    Review.objects.create(**place, kind=ReviewKind.RESTARTED, sentence="Is it?", opened_at=NOON)
    workspace_id = WorkspaceId(tenant.workspace.pk)
    with pytest.raises(ForbiddenError):
        review_close(staff_context(Role.SUPPORT), workspace_id=workspace_id, reason=REASON)
    with pytest.raises(UnprocessableError):
        review_close(staff_context(), workspace_id=workspace_id, reason=" ")
    assert Review.objects.count() == 1
    review_close(staff_context(), workspace_id=workspace_id, reason=REASON)
    entry = AuditEntry.objects.get(event=REVIEW_CLOSED.name)
    assert (entry.before, entry.reason) == ({"kind": "restarted", "sentence": "Is it?"}, REASON)
    assert not Review.objects.exists()
