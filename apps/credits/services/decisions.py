"""Explains refusals of credits, and stores them: the receipt of the decision, and the refusal under its key."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import CountinghouseError, ErrorKind, Reason
from apps.core.idempotency import INSERT_REFUSALS, UNUSED_KEYS, is_kept, refusal_as_json
from apps.core.statements import fetch_all
from apps.credits.contracts import Consumption, CreditFacts, Question, scope_of
from apps.credits.refusals import access_refusal, decision_refusal, hold_refusal
from apps.credits.rules.decision import Decision, decide
from apps.credits.rules.months import check_occurrence
from apps.credits.selectors.policies import known_terms
from apps.subscriptions.enums import ReceiptKind
from apps.subscriptions.rules.answers import chain_values
from apps.subscriptions.services.receipts import INSERT_RECEIPTS
from apps.tenants.enums import BillingMode
from apps.tenants.selectors.missing import missing_memberships

CONSUME_OPERATION = "credits.consume"
# One statement stores both, or neither: a refusal that lost the race for its key leaves no receipt. A trigger of the
# store keeps out the keys that were charged.
_STORE = f"""
WITH refused AS ({INSERT_REFUSALS}), told AS (
    SELECT key FROM refused UNION ALL SELECT key FROM ({UNUSED_KEYS}) unused
    WHERE NOT EXISTS (SELECT 1 FROM credits_creditentry e WHERE e.id = credits_entry_of_key(unused.scope, unused.key))
),
receipts AS ({INSERT_RECEIPTS}
    WHERE d->>'key' IS NULL OR EXISTS (SELECT 1 FROM told WHERE told.key = d->>'key')
)
SELECT key FROM told
"""  # noqa: S608 - our own statements


@dataclass(frozen=True, slots=True)
class Refused:
    """A consumption that the statement refused: by which name, upon which facts."""

    item: Consumption
    body_hash: str
    name: str
    facts: CreditFacts | None


def receipt_values(
    context: ExecutionContext,
    *,
    decision: Decision,
    facts: CreditFacts,
    question: Question,
    at: datetime,
    outcome: str | None = None,
    key: str | None = None,
) -> dict[str, object]:
    """The receipt of one decision, to be stored; the answer names its id already."""
    asked = {
        "product_id": context.product_id,
        "account_type": question.account.type.value,
        "account_id": question.account.id,
        "operation": question.operation,
        "quantity": question.quantity,
        "user_id": question.user_id,
        "workspace_id": question.workspace_id,
        "outcome": outcome,
    }
    return {
        "id": uuid.uuid4(),
        "kind": ReceiptKind.CREDITS.value,
        "decision": decision.verdict.value,
        "code": decision.code,
        "organization_id": facts.organization_id,
        "workspace_id": question.workspace_id,
        "actor_label": context.actor.label,
        "question": asked,
        "chain": chain_values(decision.chain),
        "records": [{"record": read.record, "version": read.version} for read in decision.answer.records],
        "policy_version": facts.policy_version,
        "request_id": context.request_id,
        "created_at": at,
        "key": key,
    }


def missing_fact(
    facts: CreditFacts, question: Question, product_id: UUID | None, *, is_for_product: bool
) -> Reason | None:
    """Why the acting user is no member, for the product's eyes or for staff's; one statement, and for denials alone."""
    keys = facts.missing_member(question.user_id)
    if not keys:
        return None
    found = missing_memberships(keys, product_id=product_id, is_for_product=is_for_product)
    return next(iter(found.values()))


def decisions_store(receipts: list[dict[str, object]], refusals: list[dict[str, object]]) -> set[object]:
    """Store receipts, and the refusals that are kept, in one statement.

    Returns the keys that nobody has used: a taken one keeps its first answer, and that is the answer.
    """
    parameters = (json.dumps(plain(refusals)), json.dumps(plain(receipts)))
    return {row[0] for row in fetch_all(_STORE, parameters)}


def refusals_store(
    context: ExecutionContext, refused: Sequence[Refused], now: datetime
) -> tuple[list[CountinghouseError], set[object]]:
    """Explain each refusal and store it with its receipt.

    Returns the refusals in order, and the keys under which another request was quicker: its answer counts there.
    """
    refusals: list[CountinghouseError] = []
    receipts: list[dict[str, object]] = []
    stored: list[dict[str, object]] = []
    keys = [key for each in refused if each.facts for key in each.facts.missing_member(each.item.question.user_id)]
    missing = missing_memberships(keys, product_id=context.product_id) if keys else {}
    for each in refused:
        refusal, receipt = _explain(context, each, now, missing)
        refusals.append(refusal)
        if receipt is not None:
            receipts.append(receipt)
        # A hold that is not there is no decision: as everywhere, a 404 is not stored.
        is_impossible = refusal.kind is ErrorKind.UNPROCESSABLE
        is_of_hold = each.name.startswith("hold_") and refusal.kind is not ErrorKind.NOT_FOUND
        if receipt is not None or is_impossible or is_of_hold:
            stored.append(
                {
                    "scope": scope_of(context),
                    "key": each.item.key,
                    "operation": CONSUME_OPERATION,
                    "hash": each.body_hash,
                    "is_kept": is_kept(refusal),
                    "at": now,
                    "answer": refusal_as_json(refusal),
                }
            )
    if not stored:
        return refusals, set()
    return refusals, {record["key"] for record in stored} - decisions_store(receipts, stored)


def _explain(
    context: ExecutionContext, refused: Refused, now: datetime, missing: Mapping[tuple[UUID, UUID], Reason]
) -> tuple[CountinghouseError, dict[str, object] | None]:
    """The refusal and, where it is a decision of the gate, its receipt."""
    facts, item, question = refused.facts, refused.item, refused.item.question
    if facts is None:
        raise RuntimeError("A refusal came without the facts that it rests on.")
    is_identity = Scope.TENANTS_MANAGE in context.scopes
    refusal = access_refusal(facts, question, product=context.actor.label, is_identity=is_identity)
    if refusal is not None:
        return refusal, None
    if refused.name.startswith("hold_") and item.hold_id is not None:
        return hold_refusal(refused.name.removeprefix("hold_"), item.hold_id), None
    if item.occurred_at is not None:
        try:
            check_occurrence(item.occurred_at, now, is_booked=item.is_booked)
        except CountinghouseError as error:
            return error, None
    product_id = context.product_id
    terms = known_terms(product_id, facts.policy_id) if product_id and facts.policy_id else None
    is_local = item.local_charge is not None and facts.billing_mode != BillingMode.CENTRAL
    fact = next((missing[key] for key in facts.missing_member(question.user_id)), None)
    is_booked = item.is_booked or is_local
    decision = decide(facts, terms, question, at=now, outcome=item.outcome, is_booked=is_booked, missing=fact)
    if decision.is_allowed:
        raise RuntimeError(f"The statement refused what the rules allow: {refused}")
    receipt = receipt_values(
        context, decision=decision, facts=facts, question=question, at=now, outcome=item.outcome, key=item.key
    )
    return decision_refusal(decision, question, UUID(str(receipt["id"])), terms, item.outcome), receipt
