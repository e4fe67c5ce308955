"""What the gate of credits keeps of its decisions: the receipt, and beside it the refusal of its key."""

from __future__ import annotations

import json
import uuid
from datetime import datetime

from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.idempotency import refusal_as_json
from apps.core.statements import fetch_all
from apps.credits.contracts import CreditFacts, Question
from apps.credits.rules.decision import Decision
from apps.subscriptions.enums import ReceiptKind
from apps.subscriptions.rules.answers import chain_values

# One statement keeps both, or neither: a refusal that lost the race for its key leaves no receipt.
_KEEP = """
WITH refused AS (
    INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
    SELECT r->>'scope', r->>'key', r->>'operation', r->>'hash', 'refused', NULL, r->'answer', (r->>'at')::timestamptz
    FROM jsonb_array_elements($1::jsonb) r
    ON CONFLICT (scope, key) DO NOTHING RETURNING scope, key
), receipts AS (
INSERT INTO subscriptions_decisionreceipt (id, kind, decision, code, organization_id, workspace_id, actor_label,
    question, chain, records, policy_version, request_id, created_at)
SELECT (d->>'id')::uuid, d->>'kind', d->>'decision', d->>'code', (d->>'organization_id')::uuid,
    (d->>'workspace_id')::uuid, d->>'actor_label', d->'question', d->'chain', d->'records',
    (d->>'policy_version')::integer, d->>'request_id', (d->>'created_at')::timestamptz
FROM jsonb_array_elements($2::jsonb) d
WHERE d->>'key' IS NULL OR EXISTS (SELECT 1 FROM refused WHERE refused.key = d->>'key')
)
SELECT key FROM refused
"""


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
    """The receipt of one decision, ready to be kept; its id is already known to the answer."""
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


def refused_values(
    *, scope: str, key: str, operation: str, body_hash: str, refusal: CountinghouseError, at: datetime
) -> dict[str, object]:
    """The record of a key that stays refused."""
    values = {"scope": scope, "key": key, "operation": operation, "hash": body_hash, "at": at}
    return {**values, "answer": refusal_as_json(refusal)}


def decisions_keep(receipts: list[dict[str, object]], refusals: list[dict[str, object]]) -> set[object]:
    """Keep receipts and refusals, in one statement. Returns the keys kept; a taken one keeps its first answer."""
    parameters = (json.dumps(plain(refusals)), json.dumps(plain(receipts)))
    return {row[0] for row in fetch_all(_KEEP, parameters)}
