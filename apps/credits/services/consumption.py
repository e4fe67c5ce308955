"""Consume: charge once for each key (spec 05, Calls; No double charge).

One prepared statement carries out a consumption from the key to the answer: `credits_consume` takes the key's lock,
locks the account, reads the facts as committed then, asks the compiled lifecycle gate, and posts. So no decision rests
on anything but what the statement itself has read. It answers a repetition with the first answer. A refusal posts
nothing; `services.decisions` explains it with the same rules from the facts that came back, and a second statement
stores the refusal and its receipt. Three things send the first statement again: a policy that this process does not
know yet, something of the account that has come due, and a quantity that the free quantity covers in part.
"""

from __future__ import annotations

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
from apps.core.errors import CountinghouseError, UnavailableError
from apps.core.failpoints import failpoint
from apps.core.idempotency import Answer, in_flight, lock_of_key, refusal_from_json, request_hash, reused
from apps.core.old_answers import rebuild_answer
from apps.core.statements import fetch_all
from apps.credits.contracts import Consumption, CreditFacts, facts_from, scope_of
from apps.credits.rules.decision import compile_gate
from apps.credits.rules.months import check_occurrence
from apps.credits.rules.pricing import PolicyTerms, charge_for, free_left
from apps.credits.selectors.policies import forget_terms, known_terms, remembered_terms, terms_in_force
from apps.credits.services.accounts import account_apply_due
from apps.credits.services.decisions import CONSUME_OPERATION, Refused, refusals_store

Result = Answer | CountinghouseError

_TRIES = 6
_CANONICAL = msgspec.json.Encoder(order="sorted")


def _gate_arguments() -> str:
    gate = compile_gate()
    axes = (gate.payments, gate.states, gate.overlays, gate.statuses)
    return ", ".join([f"'{gate.letters}'", *("'{" + ",".join(f'"{v}"' for v in axis) + "}'::text[]" for axis in axes)])


_GATE = _gate_arguments()  # of our own enumerations alone
CONSUME = f"SELECT outcome, answer, facts FROM credits_consume_4($1::jsonb, {_GATE})"  # noqa: S608
BATCH = f"SELECT place, outcome, answer, facts FROM credits_consume_batch_4($1::jsonb, $2::jsonb, {_GATE})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the statement answered for one consumption."""

    name: str
    answer: dict[str, Any] | None
    facts: CreditFacts | None


def credits_consume(context: ExecutionContext, *, consumption: Consumption) -> Answer:
    """Charge the consumption once, or raise why not. A repetition is answered as the first time.

    Raises `InsufficientCreditsError`, `ForbiddenError` (`not_a_member`, `lifecycle_denied`, `product_not_related`),
    `NotFoundError`, `UnprocessableError`, `ConflictError` for an ended hold, `IdempotencyKeyInFlightError`.
    """
    (result,) = _consume(context, [consumption], batch=False)
    if isinstance(result, CountinghouseError):
        raise result
    return result


def credits_consume_batch(context: ExecutionContext, *, consumptions: Sequence[Consumption]) -> list[Result]:
    """Each consumption's answer or refusal, in order; they succeed or fail alone.

    Items of one account are decided in their order. A key that stands twice is decided once; its later items are then
    answered as repetitions are: the same answer for the same body, `IdempotencyKeyReusedError` for another one.
    """
    first: dict[str, int] = {}
    for place, item in enumerate(consumptions):
        first.setdefault(item.key, place)
    places = list(first.values())
    results = dict(zip(places, _consume(context, [consumptions[place] for place in places], batch=True), strict=True))
    for place, item in enumerate(consumptions):
        if place not in results:
            results[place] = _consume(context, [item], batch=False)[0]
    return [results[place] for place in range(len(consumptions))]


def _consume(context: ExecutionContext, items: Sequence[Consumption], *, batch: bool) -> list[Result]:
    """Send the items until each has its result, then explain and store the refusals together."""
    now = clock.now()
    results: dict[int, Result] = {}
    refused: dict[int, Refused] = {}
    hashes = [hash_of(item) for item in items]
    free_rests: dict[int, int] = {}
    waiting, tries = list(range(len(items))), _TRIES
    while waiting and tries:
        again = []
        for place, outcome in _send(context, items, hashes, waiting, free_rests, now, batch=batch):
            item = items[place]
            result = _result_of(item, outcome)
            if result is not None:
                results[place] = result
                continue
            if outcome.name.startswith(("refused", "hold_")):
                refused[place] = Refused(item, hashes[place], outcome.name, outcome.facts)
                continue
            again.append(place)
            free_rest = _prepare_retry(context, item, outcome)
            if free_rest is not None:
                free_rests[place] = free_rest
        # A batch continues as long as it makes progress: one account may have many items that must be sent again.
        tries = _TRIES if len(again) < len(waiting) else tries - 1
        waiting = sorted(again)
    for place in waiting:
        results[place] = UnavailableError("The account changes faster than this could be decided. Try it again.")
    results.update(_refuse(context, items, refused, now) if refused else {})
    return [results[place] for place in range(len(items))]


def _refuse(
    context: ExecutionContext, items: Sequence[Consumption], refused: dict[int, Refused], now: datetime
) -> dict[int, Result]:
    refusals, overtaken = refusals_store(context, list(refused.values()), now)
    results: dict[int, Result] = dict(zip(refused, refusals, strict=True))
    for place in refused:
        if items[place].key in overtaken:
            # Another request with this key was decided first, and its answer counts (spec 11, the second race).
            results[place] = _consume(context, [items[place]], batch=False)[0]
    return results


def _send(
    context: ExecutionContext,
    items: Sequence[Consumption],
    hashes: Sequence[str],
    places: Sequence[int],
    free_rests: dict[int, int],
    now: datetime,
    *,
    batch: bool,
) -> list[tuple[int, Outcome]]:
    """One statement for the items at these places."""
    product_id = context.product_id
    if batch and product_id is not None and remembered_terms(product_id) is None:
        # Without it each item would come back by itself, only to say which policy is in force.
        terms_in_force(product_id, now)
    common = common_of(context, now)
    sent = _items_of(context, [(items[place], hashes[place], free_rests.get(place)) for place in places], now)
    failpoint("credits.before_statement")
    if batch:
        rows = [(places[int(row[0]) - 1], row[1:]) for row in _fetch(BATCH, json_text(sent), json_text(common))]
    else:
        rows = [(places[0], row) for row in _fetch(CONSUME, json_text(common | sent[0]))]
    failpoint("credits.after_statement")
    outcomes = []
    for place, (name, *texts) in rows:
        # Django has its connections hand over JSON as text.
        answer, facts = (msgspec.json.decode(text) if text else None for text in texts)
        outcomes.append((place, Outcome(name, answer, facts_from(facts) if facts else None)))
    return outcomes


def _items_of(
    context: ExecutionContext, items: Sequence[tuple[Consumption, str, int | None]], now: datetime
) -> list[dict[str, object]]:
    """What the statement must know of the items; each with its hash, and the free rest that is expected."""
    product_id, scope = context.product_id, scope_of(context)
    priced: dict[tuple[object, ...], dict[str, object]] = {}
    sent = []
    for item, body_hash, free_rest in items:
        question, at = item.question, item.occurred_at
        # Many items of a call are alike, and pricing one costs as much as all the rest here.
        alike = (question.operation, question.quantity, item.outcome, at, item.is_booked, free_rest)
        if alike not in priced:
            terms = remembered_terms(product_id, at or now) if product_id else None
            priced[alike] = price_of(item, terms, now, free_rest)
        sent.append({**item_of(scope, item, body_hash, now), **priced[alike]})
    return sent


def _fetch(statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    try:
        return fetch_all(statement, parameters)
    except IntegrityError:
        if connection.in_atomic_block:
            raise
        # A refusal of this key was stored between our look and our insert. Nothing is booked; now we see it.
        return fetch_all(statement, parameters)


def _result_of(item: Consumption, outcome: Outcome) -> Result | None:
    """The result where the statement decided; None where it asks to be sent again."""
    match outcome.name:
        case "charged":
            return Answer(201, outcome.answer or {}, replayed=False)
        case "replayed":
            return Answer(201, rebuild_answer(CONSUME_OPERATION, outcome.answer or {}), replayed=True)
        case "refused_before":
            return refusal_from_json(outcome.answer or {})
        case "reused":
            used = outcome.answer or {}
            used_at = msgspec.convert(used["created_at"], datetime, strict=False)
            return reused(item.key, used_for=used["operation"], used_at=used_at)
        case "in_flight":
            return in_flight(item.key)
    return None


def _prepare_retry(context: ExecutionContext, item: Consumption, outcome: Outcome) -> int | None:
    """Do what the statement asks for before it is sent again; the free rest to send with it, where it asks for that."""
    facts, product_id = outcome.facts, context.product_id
    if facts is None:
        return None
    if outcome.name == "due" and facts.organization_id is not None:
        account_apply_due(context, account_id=facts.organization_id)
    if product_id is None:
        return None
    if facts.policy_id is None:
        forget_terms(product_id)
        return None
    terms = known_terms(product_id, facts.policy_id)  # read once, however many items of a batch say it
    price = terms.prices.get(item.question.operation) if outcome.name == "free_boundary" else None
    return None if price is None else free_left(price, facts.free_used)


def hash_of(consumption: Consumption) -> str:
    """What requests with one key must have in common."""
    return request_hash(_CANONICAL.encode(consumption.body()), consumption.younger())


def json_text(value: object) -> str:
    """JSON for a statement; ids and moments in PostgreSQL's own forms."""
    return msgspec.json.encode(value).decode()


def common_of(context: ExecutionContext, now: datetime) -> dict[str, object]:
    """What all consumptions of one call have in common."""
    return {
        "now": now,
        "scope": scope_of(context),
        "endpoint": CONSUME_OPERATION,
        "product": context.product_id,
        "is_identity": Scope.TENANTS_MANAGE in context.scopes,
        "actor_label": context.actor.label,
        "request_id": context.request_id,
    }


def item_of(scope: str, item: Consumption, body_hash: str, now: datetime) -> dict[str, object]:
    """What the statement must know of one consumption, but for its price."""
    question, moment = item.question, item.occurred_at or now
    return {
        "lock": lock_of_key(scope, item.key),
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
        "run_id": item.run_id,
        "hold_id": item.hold_id,
        "on_insufficient": item.on_insufficient,
        "local_charge": item.local_charge,
    }


def price_of(item: Consumption, terms: PolicyTerms | None, now: datetime, free_rest: int | None) -> dict[str, object]:
    """The charge with nothing free and, where a free rest is expected, with it; no price beyond all bounds."""
    question = item.question
    price = terms.prices.get(question.operation) if terms else None
    charge = charge_expected = None
    is_possible = True
    try:
        if price is not None:
            charge = charge_for(price, question.quantity)
            charge_expected = charge_for(price, question.quantity, free_left=free_rest) if free_rest else None
        if item.occurred_at is not None:
            check_occurrence(item.occurred_at, now, is_booked=item.is_booked)
    except NumberOutOfRangeError:
        price = None
    except CountinghouseError:
        is_possible = False
    return {
        "policy_id": terms.id if terms else None,
        "is_known": price is not None and is_possible and price.knows(item.outcome),
        "is_billable": price is not None and price.bills(item.outcome),
        "free_quantity": price.free_quantity if price else 0,
        "charge": charge,
        "free_expected": free_rest,
        "charge_expected": charge_expected,
    }
