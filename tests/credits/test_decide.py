"""THE decision about credits by itself: every lifecycle, membership, price and balance, against spec 05 said again."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from apps.core.amounts import LARGEST_AMOUNT, MICRO
from apps.core.enums import LifecycleState
from apps.core.errors import Reason
from apps.credits.contracts import AccountRef, CreditFacts, Question, facts_from
from apps.credits.enums import AccountType
from apps.credits.rules.decision import Decision, decide
from apps.credits.rules.pricing import PolicyTerms, Price
from apps.subscriptions.enums import ManagedBy, SubscriptionState

NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)
ORGANIZATION, WORKSPACE, USER, POLICY = (uuid.UUID(int=number) for number in range(1, 5))
NOTHING: dict[str, Any] = dict.fromkeys(CreditFacts.__struct_fields__) | {"only_named_workspaces": False}
OPEN: dict[str, Any] = {
    **NOTHING,
    "organization_id": ORGANIZATION,
    "is_demo": False,
    "user_exists": True,
    "is_related": True,
    "role": "member",
    "workspace_organization_id": ORGANIZATION,
    "payment_status": "okay",
    "subscription_status": "subscribed",
    "config_version": 3,
    "category_override": "",
    "has_account": True,
    "balance": 10 * MICRO,
    "held": 2 * MICRO,
    "overdraft_limit": 5 * MICRO,
    "policy_id": POLICY,
    "policy_version": 7,
    "free_used": 0,
    "free_month": date(2026, 4, 1),
    "free_month_ends_at": datetime(2026, 5, 1, tzinfo=UTC),
    "is_late": False,
}
PRICES = {
    price.operation: price
    for price in (
        Price("run", "run", 2 * MICRO, billable_outcomes=("succeeded", "partial")),
        Price("scan", "file", MICRO, minimum_charge=3 * MICRO, free_quantity=4 * MICRO),
        Price("huge", "run", LARGEST_AMOUNT),
    )
}
TERMS = PolicyTerms(POLICY, uuid.UUID(int=9), 7, NOW, PRICES)
AMOUNTS = ("balance", "held", "overdraft_limit", "free_used")
# Facts that bring about each answer of the lifecycle to consumption.
LIFECYCLES: dict[str, dict[str, Any]] = {
    "yes": {},
    "with a warning": {"payment_status": "grace_period"},
    "from grants only": {"subscription_status": "pre_subscription"},
    "no": {"payment_status": "locked"},
    "closed": {"closed_at": NOW},
}


def facts_of(**values: Any) -> CreditFacts:
    return facts_from({**OPEN, **values})


def question_of(**values: Any) -> Question:
    asked = {"operation": "run", "quantity": MICRO, "user_id": USER, "workspace_id": WORKSPACE, **values}
    return Question(account=AccountRef(AccountType.ORGANIZATION, ORGANIZATION), **asked)


def expected(lifecycle: str, member: str, price: str, override: str, outcome: str | None, balance: int) -> str:
    """The code, read off spec 05: membership, lifecycle, price, balance, in this order."""
    if member == "stranger":
        return "not_a_member"
    if lifecycle in {"no", "closed"}:
        return "lifecycle_denied"
    if price in {"nothing published", "unknown"}:
        return "unknown_operation"
    if outcome == "unheard of":
        return "unknown_outcome"
    is_free = bool(override) or outcome == "failed"
    if price == "huge" and not is_free:
        return "charge_too_large"
    # 2 held; the overdraft of 5 counts unless only grants may pay; 2 are due.
    spendable = balance - 2 * MICRO + (0 if lifecycle == "from grants only" else 5 * MICRO)
    return "ok" if is_free or spendable >= 2 * MICRO else "insufficient_credits"


def cases() -> Iterator[tuple[tuple[str, str, str, str, str | None, int], Decision]]:
    balances = [MICRO * 4, MICRO * 4 - 1, -MICRO, -MICRO - 1, 0]
    axes = itertools.product(
        LIFECYCLES,
        ("nobody", "member", "stranger"),
        ("run", "huge", "unknown", "nothing published"),
        ("", "demo"),
        (None, "succeeded", "partial", "failed", "unheard of"),
        balances,
    )
    for lifecycle, member, price, override, outcome, balance in axes:
        if price == "huge" and outcome == "partial":
            continue  # its policy bills what succeeded alone
        facts = facts_of(
            **LIFECYCLES[lifecycle],
            role=None if member == "stranger" else "member",
            category_override=override,
            balance=balance,
        )
        question = question_of(
            operation=price,
            user_id=None if member == "nobody" else USER,
            quantity=2 * MICRO if price == "huge" else MICRO,
        )
        terms = None if price == "nothing published" else TERMS
        yield (
            (lifecycle, member, price, override, outcome, balance),
            decide(facts, terms, question, at=NOW, outcome=outcome),
        )


def test_every_combination_is_decided_as_spec_05_says() -> None:
    found = list(cases())
    assert len(found) > 2_000
    assert [(case, decision.code) for case, decision in found if decision.code != expected(*case)] == []
    assert {decision.code for _, decision in found} == {
        "ok",
        "not_a_member",
        "lifecycle_denied",
        "unknown_operation",
        "unknown_outcome",
        "charge_too_large",
        "insufficient_credits",
    }


def test_the_chain_ends_with_the_rule_that_denies_and_names_no_rule_after_it() -> None:
    last = {
        "not_a_member": "membership",
        "lifecycle_denied": "lifecycle",
        "unknown_operation": "policy",
        "unknown_outcome": "policy",
        "charge_too_large": "policy",
        "insufficient_credits": "balance",
        "ok": "balance",
    }
    for case, decision in cases():
        assert decision.is_allowed is (decision.code == "ok"), case
        assert decision.chain[-1].rule == last[decision.code], case
        denials = [step.rule for step in decision.chain if step.outcome == "deny"]
        assert (denials[-1:] == [last[decision.code]]) is not decision.is_allowed, case
        assert decision.chain[0].rule == "membership", case
        assert all(step.fact for step in decision.chain), case


def told(decision: Decision, rule: str) -> tuple[str, str, str]:
    """Outcome, record and fact of one rule of the chain."""
    (step,) = [step for step in decision.chain if step.rule == rule]
    return step.outcome, step.record, step.fact


def test_an_allowed_chain_tells_every_rule_with_its_record() -> None:
    decision = decide(facts_of(), TERMS, question_of(), at=NOW)
    assert [step.rule for step in decision.chain] == [
        "membership",
        "organization_closed",
        "payment_blocks",
        "subscription",
        "manual_overlay",
        "subscription_status",
        "grace_period",
        "lifecycle",
        "policy",
        "balance",
    ]
    passing = {"organization_closed", "payment_blocks", "subscription", "manual_overlay", "grace_period"}
    assert {step.rule for step in decision.chain if step.outcome == "pass"} == passing
    organization = f"organization:{ORGANIZATION}"
    assert told(decision, "membership") == ("allow", organization, f"user {USER} is member")
    assert told(decision, "policy") == (
        "allow",
        f"credit_policy:{POLICY}",
        "run: 1 (unit: run) costs 2 by policy version 7",
    )
    assert told(decision, "balance") == ("allow", f"credit_account:{ORGANIZATION}", "2 is due and 13 is available")


def test_without_an_acting_user_membership_is_passed_over() -> None:
    decision = decide(facts_of(role=None), TERMS, question_of(user_id=None), at=NOW)
    assert told(decision, "membership")[:2] == ("pass", f"organization:{ORGANIZATION}")


def test_why_somebody_is_no_member_is_told_where_it_has_been_read() -> None:
    read = Reason("membership", "deny", "the role ended yesterday")
    assert decide(facts_of(role=None), TERMS, question_of(), at=NOW, missing=read).chain == (read,)


def test_a_denial_names_the_record_that_is_missing_as_none() -> None:
    decision = decide(facts_of(has_account=False, **dict.fromkeys(AMOUNTS, 0)), TERMS, question_of(), at=NOW)
    assert told(decision, "balance")[:2] == ("deny", "")
    unpriced = decide(facts_of(policy_id=None, policy_version=None), None, question_of(), at=NOW)
    assert (unpriced.price, unpriced.free_quantity) == (None, 0)
    assert told(unpriced, "policy") == ("deny", "", "the product has no published credit policy in force")
    assert told(decide(facts_of(), TERMS, question_of(operation="x"), at=NOW), "policy") == (
        "deny",
        f"credit_policy:{POLICY}",
        "policy version 7 has no operation x",
    )


def test_a_warning_goes_with_the_grace_period_alone() -> None:
    for (lifecycle, *_), decision in cases():
        wanted = ("payment_grace_period",) if lifecycle == "with a warning" else ()
        assert decision.warnings == wanted


def test_without_an_account_nothing_is_affordable_not_even_what_is_free() -> None:
    for override in ("", "demo"):
        facts = facts_of(has_account=False, balance=0, held=0, overdraft_limit=0, category_override=override)
        decision = decide(facts, TERMS, question_of(), at=NOW)
        assert decision.code == "insufficient_credits"
        assert "has no account yet" in decision.chain[-1].fact


def test_where_nobody_has_an_account_yet_no_lifecycle_stands_in_the_way() -> None:
    facts = facts_from(
        {**NOTHING, "user_exists": True, "is_related": False, "has_account": False, **dict.fromkeys(AMOUNTS, 0)}
        | {name: OPEN[name] for name in ("free_month", "free_month_ends_at", "is_late")}
    )
    person = Question(account=AccountRef(AccountType.USER, USER), operation="run", quantity=MICRO, user_id=USER)
    decision = decide(facts, TERMS, person, at=NOW)
    assert (decision.code, decision.lifecycle) == ("insufficient_credits", None)
    assert "lifecycle" not in {step.rule for step in decision.chain}
    assert decision.answer.records == ()


def test_rules_about_a_workspace_are_named_only_where_one_is_asked_about() -> None:
    facts = facts_of(overlay_state=LifecycleState.ACTIVE.value, overlay_reason="a pilot")
    with_workspace = decide(facts, TERMS, question_of(), at=NOW)
    without = decide(facts, TERMS, question_of(workspace_id=None), at=NOW)
    assert "manual_overlay" in {step.rule for step in with_workspace.chain}
    rules = [step.rule for step in with_workspace.chain if not step.record.startswith("workspace:")]
    assert [step.rule for step in without.chain] == rules
    assert {"organization_closed", "payment_blocks"} < set(rules)


def test_the_answer_names_every_record_with_its_version() -> None:
    facts = facts_of(
        subscription_id=uuid.UUID(int=8),
        subscription_state=SubscriptionState.ACTIVE,
        managed_by=ManagedBy.STAFF,
        subscription_version=5,
    )
    records = {one.record: one.version for one in decide(facts, TERMS, question_of(), at=NOW).answer.records}
    assert records == {
        f"organization:{ORGANIZATION}": "open",
        f"payment_config:{ORGANIZATION}": "3",
        f"credit_account:{ORGANIZATION}": f"balance {10 * MICRO}, held {2 * MICRO}",
        f"membership:{ORGANIZATION}:{USER}": "member",
        f"workspace:{WORKSPACE}": "no overlay",
        f"workspace_subscription:{uuid.UUID(int=8)}": "5",
        f"credit_policy:{POLICY}": "7",
    }
    facts = facts_of(closed_at=NOW, role=None, overlay_state="active", config_version=None)
    records = {one.record: one.version for one in decide(facts, TERMS, question_of(), at=NOW).answer.records}
    assert records[f"organization:{ORGANIZATION}"] == NOW.isoformat()
    assert records[f"payment_config:{ORGANIZATION}"] == "0"
    assert records[f"membership:{ORGANIZATION}:{USER}"] == "none"
    assert records[f"workspace:{WORKSPACE}"] == "active"
    bare = decide(facts_of(role=None), None, question_of(user_id=None, workspace_id=None), at=NOW).answer.records
    assert {one.record.partition(":")[0] for one in bare} == {
        "organization",
        "payment_config",
        "credit_account",
        "credit_policy",
    }
