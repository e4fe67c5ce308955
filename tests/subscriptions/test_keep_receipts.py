"""Decision receipts: every denial of the runtime gate is kept, replayed, and equal to as-of its moment."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.db import DatabaseError, transaction

from apps.core import clock
from apps.core import operations as registry
from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import ForbiddenError, NotFoundError
from apps.core.operations import Operation
from apps.subscriptions import jobs as receipt_jobs
from apps.subscriptions.contracts import Activate, Resume, Suspend, WorkspacePlace
from apps.subscriptions.history import facts_as_of
from apps.subscriptions.ids import DecisionReceiptId, PlanId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.receipts import decision_receipt_of, replay_now
from apps.subscriptions.rules.answers import chain_values, lifecycle_answer
from apps.subscriptions.services import decision_receipts_expire, lifecycle_require
from tests.contexts import console_context, staff_context
from tests.subscriptions.cast import make_place, make_plan, staff_change
from tests.subscriptions.mutations import use_calendar

pytestmark = pytest.mark.django_db
SYNC = "made_up.sync"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> WorkspacePlace:
    """A workspace whose subscription is suspended, and an operation that needs more than that."""
    monkeypatch.setitem(registry.OPERATIONS, SYNC, Operation(SYNC, lifecycle=LifecycleNeed.SYNC))
    place = make_place()
    staff_change(place, Activate(PlanId(make_plan().pk)))
    staff_change(place, Suspend())
    return place


def denial(place: WorkspacePlace) -> ForbiddenError:
    with pytest.raises(ForbiddenError) as refusal:
        lifecycle_require(staff_context(), workspace_id=place.workspace_id, operation=SYNC)
    return refusal.value


def kept(refusal: ForbiddenError) -> DecisionReceipt:
    assert refusal.decision_id is not None
    return decision_receipt_of(DecisionReceiptId(refusal.decision_id))


def test_a_denial_explains_itself_and_is_kept(place: WorkspacePlace) -> None:
    refusal = denial(place)
    assert refusal.problem_code == "lifecycle_denied"
    assert "the subscription record is suspended" in refusal.detail
    receipt = kept(refusal)
    assert [step["rule"] for step in receipt.chain] == [
        "organization_closed",
        "payment_blocks",
        "subscription",
        "grace_period",
        "lifecycle",
    ]
    assert [step["outcome"] for step in receipt.chain] == ["pass", "pass", "deny", "pass", "deny"]
    assert receipt.chain == chain_values(refusal.explanation)
    assert (receipt.decision, receipt.code, receipt.organization_id) == (
        "deny",
        "lifecycle_denied",
        place.organization_id,
    )
    versions = {entry["record"].split(":")[0]: entry["version"] for entry in receipt.records}
    assert versions == {
        "organization": "open",
        "payment_config": "1",
        "workspace": "no overlay",
        "workspace_subscription": "2",
    }


def test_an_allowed_operation_leaves_no_receipt(place: WorkspacePlace) -> None:
    staff_change(place, Resume())
    facts = lifecycle_require(staff_context(), workspace_id=place.workspace_id, operation=SYNC)
    assert facts.workspace_id == place.workspace_id
    assert not DecisionReceipt.objects.exists()


def test_replay_now_says_what_has_changed(place: WorkspacePlace) -> None:
    receipt = kept(denial(place))
    assert replay_now(receipt).changes == ()
    staff_change(place, Resume())
    replay = replay_now(receipt)
    assert replay.now.verdict == "allow"
    assert replay.changes[0] == "the answer was deny (lifecycle_denied) and is allow (ok)"
    record, was, how = replay.changes[1].partition(" was 2 and is 3: ")
    assert (record.split(":")[0], bool(was)) == ("workspace_subscription", True)
    assert "state suspended → active" in how
    assert "@countinghouse.example" in how
    (_, outside) = replay_now(receipt, names_staff=False).changes
    assert "by staff on" in outside
    assert "@" not in outside


def test_as_of_a_receipts_moment_equals_the_receipt(place: WorkspacePlace) -> None:
    receipt = kept(denial(place))
    staff_change(place, Resume())
    then = lifecycle_answer(facts_as_of(place.workspace_id, receipt.created_at), SYNC, Role(receipt.question["role"]))
    assert chain_values(then.chain) == receipt.chain
    assert (then.verdict, then.code) == (receipt.decision, receipt.code)
    assert [{"record": read.record, "version": read.version} for read in then.records] == receipt.records


def test_receipts_are_never_changed_and_kept_90_days(place: WorkspacePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = kept(denial(place))
    with pytest.raises(DatabaseError), transaction.atomic():
        DecisionReceipt.objects.update(decision="allow")
    calendar = use_calendar(monkeypatch, clock.now())
    calendar.turn(timedelta(days=89))
    assert decision_receipts_expire(console_context()) == 0
    calendar.turn(timedelta(days=2))
    assert decision_receipts_expire(console_context()) == 1
    with pytest.raises(NotFoundError):
        decision_receipt_of(DecisionReceiptId(receipt.pk))


def test_the_purge_job_removes_what_is_past_its_90_days_in_portions(
    place: WorkspacePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = use_calendar(monkeypatch, clock.now())
    old = [kept(denial(place)).pk for _ in range(5)]
    calendar.turn(timedelta(days=80))
    young = kept(denial(place)).pk
    calendar.turn(timedelta(days=11))
    monkeypatch.setattr(receipt_jobs, "_AT_ONCE", 2)
    purge = partial(receipt_jobs.purge_receipts, console_context(), slot=clock.now(), include_demo=False)
    assert purge(organization_id=uuid.uuid4()) == {"receipts": 0}
    assert purge(organization_id=None) == {"receipts": len(old)}
    assert list(DecisionReceipt.objects.values_list("pk", flat=True)) == [young]
    assert purge(organization_id=None) == {"receipts": 0}
