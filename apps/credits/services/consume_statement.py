"""The statements that consume, what they are given, and what they say (spec 11, Speed: one prepared statement)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError, connection

from apps.core import clock
from apps.core.amounts import NumberOutOfRangeError
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import CountinghouseError
from apps.core.locks import lock_number
from apps.core.statements import fetch_all
from apps.credits.contracts import Consumption, CreditFacts, facts_from
from apps.credits.rules.gate import compiled_gate
from apps.credits.rules.occurrence import check_occurrence, is_late
from apps.credits.rules.pricing import PolicyTerms, charge_for
from apps.credits.selectors.policies import remembered_terms


def _literal(values: Sequence[str]) -> str:
    return "'{" + ",".join(f'"{value}"' for value in values) + "}'::text[]"


def _gate() -> str:
    gate = compiled_gate()
    axes = ", ".join(_literal(axis) for axis in (gate.payments, gate.states, gate.overlays, gate.statuses))
    return f"'{gate.letters}', {axes}"


CONSUME = f"SELECT outcome, answer, facts FROM credits_consume($1::jsonb, {_gate()})"  # noqa: S608 - our own enumerations


BATCH = f"SELECT place, outcome, answer, facts FROM credits_consume_batch($1::jsonb, $2::jsonb, {_gate()})"  # noqa: S608 - as above


_CANONICAL = msgspec.json.Encoder(order="sorted")


def hash_of(consumption: Consumption) -> str:
    """What two requests with one key must have in common, as the store of keys keeps it."""
    return hashlib.sha256(_CANONICAL.encode(consumption.body())).hexdigest()


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
    (item,) = items_of(context, [consumption], [hash_of(consumption)], terms, now, [None])
    return CONSUME, json_text(common_of(context, terms, now) | item)


def fetched(statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    """The statement's rows; sent once more where another request's refusal took the key meanwhile."""
    try:
        return fetch_all(statement, parameters)
    except IntegrityError:
        if connection.in_atomic_block:
            raise
        # A refusal of this key was kept between our look and our insert. Nothing is booked; now we see it.
        return fetch_all(statement, parameters)


def outcome_from(name: str, answer: str | None, facts: str | None) -> Outcome:
    """One row of either statement."""
    # Django has its connections hand over JSON as text.
    said, read = (msgspec.json.decode(text) if text else None for text in (answer, facts))
    return Outcome(name, said, facts_from(read) if read else None)


def json_text(value: object) -> str:
    """JSON for a statement; ids and moments in PostgreSQL's own forms."""
    return msgspec.json.encode(value).decode()


def common_of(context: ExecutionContext, terms: PolicyTerms | None, now: datetime) -> dict[str, object]:
    """What all consumptions of one call have in common."""
    return {
        "now": now,
        "scope": scope_of(context),
        "product": context.product_id,
        "is_identity": Scope.TENANTS_MANAGE in context.scopes,
        "policy_id": terms.id if terms else None,
        "actor_label": context.actor.label,
        "request_id": context.request_id,
    }


def items_of(
    context: ExecutionContext,
    items: Sequence[Consumption],
    hashes: Sequence[str],
    terms: PolicyTerms | None,
    now: datetime,
    expected: Sequence[int | None],
) -> list[dict[str, object]]:
    """What the statement must know of each consumption: what was asked, and its price with and without free rest."""
    scope = scope_of(context)
    prices: dict[tuple[object, ...], dict[str, object]] = {}
    sent = []
    for item, body_hash, free in zip(items, hashes, expected, strict=True):
        question, moment = item.question, item.occurred_at or now
        # Many items of a call are alike, and pricing one costs as much as all the rest here.
        alike = (question.operation, question.quantity, item.outcome, item.occurred_at, free)
        if alike not in prices:
            prices[alike] = _priced(item, terms, now, free)
        sent.append(
            {
                "lock": lock_number(f"idempotency\x1f{scope}\x1f{item.key}"),
                "key": item.key,
                "hash": body_hash,
                "account_type": question.account.type,
                "account_id": question.account.id,
                "user_id": question.user_id,
                "workspace_id": question.workspace_id,
                "operation": question.operation,
                "quantity": question.quantity,
                "outcome": item.outcome,
                "occurred_at": moment,
                "is_late": is_late(moment, now),
                "run_id": item.run_id,
                "hold_id": item.hold_id,
                "on_insufficient": item.on_insufficient,
                **prices[alike],
            }
        )
    return sent


def _priced(item: Consumption, terms: PolicyTerms | None, now: datetime, expected: int | None) -> dict[str, object]:
    """The charge with nothing free and, where a free rest is `expected`, with it; beyond all bounds it is none."""
    question = item.question
    price = terms.prices.get(question.operation) if terms else None
    charge = charge_expected = None
    try:
        if price is not None:
            charge = charge_for(price, question.quantity)
            charge_expected = charge_for(price, question.quantity, free_left=expected) if expected else None
    except NumberOutOfRangeError:
        price = None
    return {
        "is_known": price is not None and _is_possible(item, now),
        "is_billable": price is not None and price.bills(item.outcome),
        "free_quantity": price.free_quantity if price else 0,
        "charge": charge,
        "free_expected": expected,
        "charge_expected": charge_expected,
    }


def _is_possible(item: Consumption, now: datetime) -> bool:
    if item.occurred_at is None:
        return True
    try:
        check_occurrence(item.occurred_at, now)
    except CountinghouseError:
        return False
    return True


def scope_of(context: ExecutionContext) -> str:
    """Whose keys they are: each product's own, and one space for people and the console (spec 05)."""
    return f"product:{context.product_id}" if context.product_id else "staff"
