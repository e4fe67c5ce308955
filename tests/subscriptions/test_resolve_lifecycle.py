"""The lifecycle resolver over every combination of its facts, against spec 03 written a second time."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from apps.core.enums import LifecycleNeed, LifecycleState, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.operations import OPERATIONS, PLATFORM_LADDER
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules import lifecycle as rules
from apps.subscriptions.rules.answers import warnings_of
from apps.subscriptions.rules.lifecycle import (
    Allowance,
    LifecycleDecision,
    LifecycleFacts,
    RuleOutcome,
    SubscriptionFacts,
    resolve,
)
from tests.subscriptions import spec_lifecycle

NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)
COMBINATIONS = 6 * 3 * 6 * 7 * 2 * 2


def every_combination() -> Iterator[LifecycleFacts]:
    axes = itertools.product(
        PaymentStatus,
        SubscriptionStatus,
        [None, *SubscriptionState],
        [None, *LifecycleState],
        (False, True),
        (False, True),
    )
    for payment, status, record, overlay, is_closed, only_named in axes:
        yield LifecycleFacts(
            workspace_id=WorkspaceId(uuid.UUID(int=1)),
            organization_id=OrganizationId(uuid.UUID(int=2)),
            at=NOW,
            organization_closed_at=NOW if is_closed else None,
            payment_status=payment,
            grace_period_end_at=NOW if payment == "grace_period" else None,
            subscription_status=status,
            only_named_workspaces=only_named,
            subscription=SubscriptionFacts(WorkspaceSubscriptionId(uuid.UUID(int=3)), record, ManagedBy.STAFF, 1)
            if record
            else None,
            overlay=overlay,
            overlay_reason="a test" if overlay else "",
        )


def expected(facts: LifecycleFacts) -> tuple[str, str]:
    return spec_lifecycle.lifecycle(
        facts.payment_status.value,
        facts.subscription_status.value,
        facts.subscription.state.value if facts.subscription else None,
        facts.overlay.value if facts.overlay else None,
        facts.organization_closed_at is not None,
        facts.only_named_workspaces,
    )


def disagreements(resolver: Callable[[LifecycleFacts], LifecycleDecision]) -> list[str]:
    cells, found = spec_lifecycle.allowed(), []
    for facts in every_combination():
        decision, (state, source) = resolver(facts), expected(facts)
        answers = {need: decision.allowance(LifecycleNeed(need)).value for need in spec_lifecycle.NEEDS}
        wanted = {need: cells[state, need] for need in spec_lifecycle.NEEDS}
        if (decision.state.value, decision.source.value, answers) != (state, source, wanted):
            found.append(f"{facts}: {decision.state} from {decision.source}, expected {state} from {source}")
    return found


def test_every_combination_is_as_spec_03_says() -> None:
    assert len(list(every_combination())) == COMBINATIONS == 3024
    assert disagreements(resolve) == []


def test_a_warning_says_all_that_is_late_or_that_staff_set_it() -> None:
    told: set[tuple[str, ...]] = set()
    for facts in every_combination():
        record, decision = facts.subscription, resolve(facts)
        late = {
            "payment_grace_period": facts.payment_status == "grace_period",
            "subscription_past_due": record is not None and record.state == "past_due",
        }
        wanted = tuple(code for code, is_so in late.items() if is_so) or ("grace_set_by_staff",)
        warns = spec_lifecycle.allowed()[decision.state.value, "consume"] == "with a warning"
        assert warnings_of(facts, decision) == (wanted if warns else ()), facts
        told.add(warnings_of(facts, decision))
    assert len(told) == 5, told


def test_a_resolver_that_lets_the_overlay_win_over_the_record_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, blocks, record, overlay, status = rules.RULES
    monkeypatch.setattr(rules, "RULES", (closed, blocks, overlay, record, status))
    assert len(disagreements(resolve)) > 100


def test_a_resolver_that_forgets_the_grace_period_of_a_trial_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LOWERED_BY_GRACE", frozenset({LifecycleState.ACTIVE}))
    assert len(disagreements(resolve)) > 5


def test_a_resolver_that_takes_what_is_sold_to_others_for_everybody_s_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "is_sold_to_others", lambda _: False)
    assert len(disagreements(resolve)) == 4  # no record, no overlay, open, and the payment status blocks nothing


def test_what_is_sold_to_others_is_told_as_such() -> None:
    facts = LifecycleFacts(
        WorkspaceId(uuid.uuid4()),
        OrganizationId(uuid.uuid4()),
        NOW,
        subscription_status=SubscriptionStatus.SUBSCRIBED,
        only_named_workspaces=True,
    )
    decided = resolve(facts).reasons[0]
    assert (decided.state, decided.source) == ("pre_subscription", "subscription_status")
    assert decided.fact == (
        "the organization's subscription status is subscribed, and every running subscription names another workspace"
    )


def test_the_trace_names_every_rule_tried_in_order_and_ends_with_the_grace_period() -> None:
    names = ["organization_closed", "payment_blocks", "subscription", "manual_overlay", "subscription_status"]
    for facts in every_combination():
        decision = resolve(facts)
        tried = [step.rule for step in decision.trace]
        assert tried == [*names[: len(tried) - 1], "grace_period"]
        passed = [step for step in decision.trace[:-2] if step.outcome is not RuleOutcome.PASSES]
        assert passed == []
        assert decision.trace[-2].outcome is RuleOutcome.DECIDES
        lowers = decision.trace[-1].outcome is RuleOutcome.LOWERS
        assert decision.reasons == (decision.trace[-2:] if lowers else decision.trace[-2:-1])
        assert all(step.fact and ":" in step.record for step in decision.trace)


@pytest.mark.parametrize("role", list(Role))
def test_a_closed_organization_is_read_by_its_owners_and_by_staff_alone(role: Role) -> None:
    facts = LifecycleFacts(WorkspaceId(uuid.uuid4()), OrganizationId(uuid.uuid4()), NOW, organization_closed_at=NOW)
    assert resolve(facts).permits(LifecycleNeed.READ, role=role) is (role is Role.OWNER or role in PLATFORM_LADDER)
    assert not resolve(facts).permits(LifecycleNeed.CONSUME, role=role)


def test_no_role_widens_anything_but_reading_a_closed_organization() -> None:
    for state, need, role in itertools.product(LifecycleState, LifecycleNeed, Role):
        allowance = rules.ALLOWED[state][need]
        if allowance is not Allowance.OWNER_ONLY:
            assert allowance.permits(role) is (allowance is not Allowance.NO)


def test_operations_are_named_as_the_registry_names_them() -> None:
    facts = next(every_combination())
    needing = {name for name, operation in OPERATIONS.items() if operation.lifecycle is not LifecycleNeed.NOTHING}
    assert set(resolve(facts).operations(role=Role.SERVICE)) == needing


@pytest.mark.parametrize("state", list(SubscriptionState))
def test_a_year_later_only_the_flags_differ(state: SubscriptionState) -> None:
    day = timedelta(days=1)
    record = SubscriptionFacts(
        WorkspaceSubscriptionId(uuid.uuid4()), state, ManagedBy.STAFF, 1, NOW + day, NOW + 30 * day
    )
    facts = LifecycleFacts(WorkspaceId(uuid.uuid4()), OrganizationId(uuid.uuid4()), NOW, subscription=record)
    today, later = resolve(facts), resolve(replace(facts, at=NOW + 365 * day))

    assert not today.needs_review
    assert later.needs_review is (state != "ended")
    assert len(later.review_reasons) == {"trialing": 2, "ended": 0}.get(state.value, 1)
    assert replace(later, review_reasons=()) == replace(today, review_reasons=())


@pytest.mark.parametrize(
    ("after", "has_passed"),
    [(timedelta(microseconds=-1), False), (timedelta(0), False), (timedelta(microseconds=1), True)],
    ids=["before", "at the moment", "after"],
)
@pytest.mark.parametrize(
    ("date", "sentence"), [("trial_ends_at", "the trial ended"), ("current_period_end", "the period")]
)
def test_a_date_asks_for_review_once_its_moment_lies_in_the_past(
    date: str, sentence: str, after: timedelta, has_passed: bool
) -> None:
    record = SubscriptionFacts(
        WorkspaceSubscriptionId(uuid.uuid4()), SubscriptionState.TRIALING, ManagedBy.STAFF, 1, **{date: NOW}
    )
    facts = LifecycleFacts(WorkspaceId(uuid.uuid4()), OrganizationId(uuid.uuid4()), NOW + after, subscription=record)
    reasons = resolve(facts).review_reasons
    assert (len(reasons), resolve(facts).needs_review) == (int(has_passed), has_passed)
    assert all(reason.startswith(sentence) and reason.endswith("3 April 2026") for reason in reasons)


@pytest.mark.parametrize(
    ("status", "end", "said"),
    [
        ("subscribed", NOW, "a payment failed: grace period until 3 April 2026, which lowers active to grace"),
        ("subscribed", None, "a payment failed: grace period, which lowers active to grace"),
        (
            "pre_subscription",
            NOW,
            "the organization is in a grace period until 3 April 2026, which does not lower pre_subscription",
        ),
    ],
)
def test_the_grace_period_is_told_with_its_end(status: str, end: datetime | None, said: str) -> None:
    facts = LifecycleFacts(
        WorkspaceId(uuid.uuid4()),
        OrganizationId(uuid.uuid4()),
        NOW,
        payment_status=PaymentStatus.GRACE_PERIOD,
        grace_period_end_at=end,
        subscription_status=SubscriptionStatus(status),
    )
    assert resolve(facts).trace[-1].fact == said
