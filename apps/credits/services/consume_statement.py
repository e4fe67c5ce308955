"""The statements that consume, what they are given, and what they say (spec 11, Speed: one prepared statement)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection

from apps.core import clock
from apps.core.amounts import NumberOutOfRangeError
from apps.core.canonical import canonical_hash
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import CountinghouseError
from apps.core.locks import lock_number
from apps.credits.contracts import Consumption, CreditFacts, facts_from
from apps.credits.rules.gate import compiled_gate
from apps.credits.rules.occurrence import check_occurrence, is_late
from apps.credits.rules.pricing import PolicyTerms, charge_for
from apps.credits.selectors.policies import remembered_terms
from apps.credits.statements import fetch_all


def _literal(values: Sequence[str]) -> str:
    return "'{" + ",".join(f'"{value}"' for value in values) + "}'::text[]"


def _gate() -> str:
    gate = compiled_gate()
    axes = ", ".join(_literal(axis) for axis in (gate.payments, gate.states, gate.overlays, gate.statuses))
    return f"'{gate.letters}', {axes}"


CONSUME = f"SELECT outcome, answer, facts FROM credits_consume(%s::jsonb, {_gate()})"  # noqa: S608 - our own enumerations


BATCH = f"SELECT place, outcome, answer, facts FROM credits_consume_batch(%s::jsonb, {_gate()})"  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the statement said of one consumption."""

    name: str
    answer: dict[str, Any] | None
    facts: CreditFacts | None


def statement_of(context: ExecutionContext, consumption: Consumption) -> tuple[str, str]:
    """The very statement that consumes, and its one parameter: for the bench's floor (spec 11, Speed)."""
    terms = remembered_terms(context.product_id) if context.product_id else None
    now = clock.now()
    values = parameters_of(context, consumption, canonical_hash(consumption.body()), terms, now, None)
    return CONSUME, json.dumps(values)


def fetched(statement: str, parameter: str) -> list[tuple[Any, ...]]:
    """The statement's rows; sent once more where another request's refusal took the key meanwhile."""
    try:
        return fetch_all(statement, (parameter,))
    except IntegrityError:
        if connection.in_atomic_block:
            raise
        # A refusal of this key was kept between our look and our insert. Nothing is booked; now we see it.
        return fetch_all(statement, (parameter,))


def outcome_from(name: str, answer: str | None, facts: str | None) -> Outcome:
    """One row of either statement."""
    # Django has its connections hand over JSON as text.
    return Outcome(name, json.loads(answer) if answer else None, facts_from(json.loads(facts)) if facts else None)


def parameters_of(
    context: ExecutionContext,
    item: Consumption,
    body_hash: str,
    terms: PolicyTerms | None,
    now: datetime,
    expected: int | None,
) -> dict[str, object]:
    """What the statement must know of one consumption: what was asked, and its price with and without free rest."""
    question, scope = item.question, scope_of(context)
    price = terms.prices.get(question.operation) if terms else None
    charge = charge_expected = None
    try:
        if price is not None:
            charge = charge_for(price, question.quantity)
            charge_expected = charge_for(price, question.quantity, free_left=expected) if expected else None
    except NumberOutOfRangeError:
        price = None
    moment = item.occurred_at or now
    return {
        "now": now.isoformat(),
        "lock": lock_number(f"idempotency\x1f{scope}\x1f{item.key}"),
        "scope": scope,
        "key": item.key,
        "hash": body_hash,
        "product": _text(context.product_id),
        "is_identity": Scope.TENANTS_MANAGE in context.scopes,
        "account_type": question.account.type.value,
        "account_id": str(question.account.id),
        "user_id": _text(question.user_id),
        "workspace_id": _text(question.workspace_id),
        "operation": question.operation,
        "quantity": question.quantity,
        "outcome": item.outcome,
        "occurred_at": moment.isoformat(),
        "is_late": is_late(moment, now),
        "run_id": item.run_id,
        "hold_id": _text(item.hold_id),
        "on_insufficient": item.on_insufficient.value,
        "entry_id": str(uuid.uuid4()),
        "policy_id": str(terms.id) if terms else None,
        "is_known": price is not None and _is_possible(item, now),
        "is_billable": price is not None and price.bills(item.outcome),
        "free_quantity": price.free_quantity if price else 0,
        "charge": charge,
        "free_expected": expected,
        "charge_expected": charge_expected,
        "actor_label": context.actor.label,
        "request_id": context.request_id,
    }


def _is_possible(item: Consumption, now: datetime) -> bool:
    try:
        check_occurrence(item.occurred_at or now, now)
    except CountinghouseError:
        return False
    return True


def scope_of(context: ExecutionContext) -> str:
    """Whose keys they are: each product's own, and one space for people and the console (spec 05)."""
    return f"product:{context.product_id}" if context.product_id else "staff"


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
