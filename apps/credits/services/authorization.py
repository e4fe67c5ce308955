"""Authorize: may this be consumed, at what price; if asked, the credits are held (spec 05, Calls; Shadow mode).

`replay_credits` asks the question of a stored receipt again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import F
from django.db.models.functions import Least

from apps.core import clock
from apps.core.canonical import Plain, moment_text
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import FieldError, MalformedRequestError
from apps.core.idempotency import Answer, idempotent
from apps.core.statements import fetch_all
from apps.credits.contracts import AccountRef, CreditFacts, Question, scope_of
from apps.credits.enums import AccountType, DisagreementClass
from apps.credits.models import CreditAccount, Hold, ShadowDisagreement
from apps.credits.refusals import access_refusal
from apps.credits.rules.allocation import available
from apps.credits.rules.decision import Decision, decide
from apps.credits.selectors.policies import known_terms, remembered_terms, terms_in_force
from apps.credits.services.accounts import account_apply_due, account_for_update, use_free
from apps.credits.services.comparisons import comparison_count
from apps.credits.services.decisions import decisions_store, missing_fact, receipt_values
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.rules.answers import GateAnswer, chain_values
from apps.tenants.enums import BillingMode

LONGEST_HOLD = timedelta(hours=24)
_FACTS_ROW = msgspec.json.Decoder(CreditFacts)
# The mode is that of the organization: an exception and the percentage stand before the product (spec 02, Cutover).
_FACTS = (
    "SELECT to_jsonb(f) || jsonb_build_object('billing_mode', tenants_billing_mode($3, f.organization_id)) "
    "FROM credits_facts_3($1, $2, $3, $4, $5, $6, $7, $8) f"
)


@dataclass(frozen=True, slots=True)
class LocalDecision:
    """What the product decided itself; amounts in micro-credits."""

    decision: str
    balance: int
    charge: int


def credits_authorize(
    context: ExecutionContext,
    *,
    question: Question,
    hold_ttl: timedelta | None = None,
    key: str | None = None,
    local: LocalDecision | None = None,
) -> dict[str, Plain]:
    """Answer the question; a denial is an answer. One statement, and a second where something is kept.

    With `hold_ttl` an allowed quantity is held, once for the key, which it needs. With `local` the answer is the
    product's own unless we decide for it, and a disagreement is kept. Raises only for the caller's own rights.
    """
    if hold_ttl is None:
        return _authorize(context, question, local)
    if key is None:
        # A repetition without one would open a second hold.
        raise MalformedRequestError(
            "A hold is opened once for its key: send idempotency_key too.",
            errors=[
                FieldError("idempotency_key", "required", "Send one with `hold`; a repetition opens no second hold.")
            ],
        )
    body = {"question": _question_values(question), "ttl_seconds": int(hold_ttl.total_seconds())}
    answer = idempotent(
        scope=scope_of(context),
        key=key,
        operation="credits.authorize",
        body=body,
        perform=lambda: Answer(200, _authorize_and_hold(context, question, hold_ttl, local)),
    )
    return dict(answer.body)


def replay_credits(receipt: DecisionReceipt) -> GateAnswer:
    """What the gate would answer today to the question of a stored receipt; stores and changes nothing (spec 05)."""
    asked: dict[str, Any] = receipt.question
    ids = {name: UUID(asked[name]) if asked[name] else None for name in ("product_id", "user_id", "workspace_id")}
    account = AccountRef(AccountType(asked["account_type"]), UUID(asked["account_id"]))
    question = Question(account, asked["operation"], asked["quantity"], ids["user_id"], ids["workspace_id"])
    now, product_id = clock.now(), ids["product_id"]
    terms = terms_in_force(product_id, now) if product_id else None
    facts, outcome = credit_facts(product_id, question, now), asked["outcome"]
    missing = missing_fact(facts, question, product_id, is_for_product=False)
    return decide(facts, terms, question, at=now, outcome=outcome, missing=missing).answer


def credit_facts(
    product_id: UUID | None, question: Question, now: datetime, *, at: datetime | None = None
) -> CreditFacts:
    """Everything that the decision rests on, as committed now; one statement.

    Policy and free quantity are those of the moment `at`, when the run happened; None: now.
    """
    account = question.account
    [(row,)] = fetch_all(
        _FACTS,
        (
            now,
            at or now,
            product_id,
            account.type.value,
            account.id,
            question.user_id,
            question.workspace_id,
            question.operation,
        ),
    )
    return _FACTS_ROW.decode(row)


def _authorize(context: ExecutionContext, question: Question, local: LocalDecision | None) -> dict[str, Plain]:
    facts, decision, now = _decide_now(context, question)
    receipts: list[dict[str, object]] = []
    if not decision.is_allowed:
        receipts.append(receipt_values(context, decision=decision, facts=facts, question=question, at=now))
        decisions_store(receipts, [])
    if local is not None:
        _compare(context, question, facts, decision, local, now)
    receipt_id = receipts[0]["id"] if receipts else None
    return _answer(facts, decision, local, receipt_id, None)


def _authorize_and_hold(
    context: ExecutionContext, question: Question, ttl: timedelta, local: LocalDecision | None
) -> dict[str, Plain]:
    facts, decision, now = _decide_now(context, question)
    if facts.organization_id is not None:
        # Decided anew upon what is committed once the account is ours.
        account_for_update(facts.organization_id)
        facts, decision, now = _decide_now(context, question)
    hold = None
    product_id, version = context.product_id, facts.policy_version
    if decision.is_allowed and decision.price is not None and version is not None and product_id is not None:
        free = decision.free_quantity
        use_free(facts.organization_id, product_id, question.operation, facts.free_month, free)
        hold = Hold.objects.create(
            id=uuid.uuid4(),
            account_id=facts.organization_id,
            product_id=product_id,
            operation=question.operation,
            quantity=question.quantity,
            amount=decision.price,
            free_quantity=free,
            free_month=facts.free_month if free else None,
            billing_mode=facts.billing_mode or "",
            acting_user_id=question.user_id,
            workspace_id=question.workspace_id,
            policy_version=version,
            expires_at=now + min(ttl, LONGEST_HOLD),
            created_at=now,
        )
        CreditAccount.objects.filter(pk=facts.organization_id).update(
            held=F("held") + hold.amount, next_due_at=Least(F("next_due_at"), hold.expires_at)
        )
        facts = credit_facts(context.product_id, question, now)
    receipt = receipt_values(context, decision=decision, facts=facts, question=question, at=now)
    decisions_store([receipt], [])
    if local is not None:
        _compare(context, question, facts, decision, local, now)
    return _answer(facts, decision, local, receipt["id"], hold)


def _decide_now(context: ExecutionContext, question: Question) -> tuple[CreditFacts, Decision, datetime]:
    now = clock.now()
    facts = credit_facts(context.product_id, question, now)
    is_identity = Scope.TENANTS_MANAGE in context.scopes
    refusal = access_refusal(facts, question, product=context.actor.label, is_identity=is_identity)
    if refusal is not None:
        raise refusal
    if facts.next_due_at is not None and facts.next_due_at <= now and facts.organization_id is not None:
        account_apply_due(context, account_id=facts.organization_id)
        facts = credit_facts(context.product_id, question, now)
    terms = remembered_terms(context.product_id, now) if context.product_id else None
    if facts.policy_id is None:
        terms = None
    elif terms is None or terms.id != facts.policy_id:
        terms = known_terms(context.product_id, facts.policy_id) if context.product_id else None
    missing = missing_fact(facts, question, context.product_id, is_for_product=True)
    return facts, decide(facts, terms, question, at=now, missing=missing), now


def _answer(
    facts: CreditFacts, decision: Decision, local: LocalDecision | None, receipt_id: object, hold: Hold | None
) -> dict[str, Plain]:
    is_local = local is not None and facts.billing_mode != BillingMode.CENTRAL
    verdict = local.decision if local is not None and is_local else decision.verdict.value
    # In shadow mode the product decides, and we are to compare.
    is_uncompared = local is None and facts.billing_mode == BillingMode.SHADOW
    is_ours = verdict == decision.verdict.value
    # Plain already, part by part: to walk through it all again would cost more than the decision.
    answer: dict[str, Plain] = {
        "decision": verdict,
        "code": decision.code if is_ours else "decided_by_product",
        "decided_by": "local" if is_local else "central",
        "price": decision.price,
        "balance": facts.balance,
        "held": facts.held,
        "available": available(facts.balance, facts.held, facts.overdraft_limit),
        "lifecycle": decision.lifecycle.state.value if decision.lifecycle else None,
        "free_month_ends_at": moment_text(facts.free_month_ends_at),
        "warnings": [*decision.warnings, *(["no_local_decision"] if is_uncompared else [])],
        "explanation": [*chain_values(decision.chain)],
        "decision_id": str(receipt_id) if receipt_id else None,
        "hold": None
        if hold is None
        else {"id": str(hold.pk), "amount": hold.amount, "expires_at": moment_text(hold.expires_at)},
    }
    return answer


def _compare(
    context: ExecutionContext,
    question: Question,
    facts: CreditFacts,
    decision: Decision,
    local: LocalDecision,
    now: datetime,
) -> None:
    if context.product_id is not None:
        comparison_count(context.product_id, now)
    difference = difference_of(facts, decision, local, quantum=_quantum(context, facts, decision, local))
    if difference is None or context.product_id is None:
        return
    ShadowDisagreement.objects.create(
        product_id=context.product_id,
        organization_id=facts.organization_id,
        difference=difference,
        operation=question.operation,
        quantity=question.quantity,
        local_decision=local.decision,
        local_balance=local.balance,
        local_charge=local.charge,
        central_decision=decision.verdict.value,
        central_code=decision.code,
        central_balance=facts.balance,
        central_charge=decision.price,
        request_id=context.request_id,
        seen_at=now,
    )


def _quantum(context: ExecutionContext, facts: CreditFacts, decision: Decision, local: LocalDecision) -> int:
    """The smallest step of the price that we named, where the product named another; 0 without one."""
    if decision.price in {None, local.charge} or context.product_id is None or facts.policy_id is None:
        return 0
    price = known_terms(context.product_id, facts.policy_id).prices.get(decision.question.operation)
    return price.quantum if price is not None else 0


def difference_of(
    facts: CreditFacts, decision: Decision, local: LocalDecision, *, quantum: int = 0
) -> DisagreementClass | None:
    """The gravest thing in which the two decisions differ; None where they agree.

    Prices that lie one `quantum` apart at most are one price that the product rounds otherwise.
    """
    differs = local.decision != decision.verdict.value
    if decision.code == "unknown_operation":
        return DisagreementClass.UNKNOWN_OPERATION
    if differs and decision.code == "not_a_member":
        return DisagreementClass.MEMBERSHIP
    if differs and decision.code == "lifecycle_denied":
        return DisagreementClass.LIFECYCLE
    if differs:
        return DisagreementClass.VERDICT
    if decision.price is not None and decision.price != local.charge:
        is_rounded = abs(decision.price - local.charge) <= quantum
        return DisagreementClass.ROUNDING if is_rounded else DisagreementClass.AMOUNT
    return DisagreementClass.BALANCE if facts.balance != local.balance else None


def _question_values(question: Question) -> dict[str, object]:
    return {
        "account": str(question.account),
        "operation": question.operation,
        "quantity": question.quantity,
        "user_id": question.user_id,
        "workspace_id": question.workspace_id,
    }
