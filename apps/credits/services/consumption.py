"""Consume: charge once for each key (spec 05, Calls; No double charge).

One prepared statement carries out a consumption from the key to the answer: `credits_consume` takes the key's lock,
locks the account, reads the facts as committed then, asks the compiled lifecycle gate, and posts. So no decision rests
on anything but what the statement itself has read. It answers a repetition with the first answer. A refusal posts
nothing; Python explains it with the same pure rules from the facts that came back, and a second statement keeps the
refusal and its receipt. Three things send it once more: a policy that this process does not know yet, something of the
account that has come due, and a quantity that the free quantity covers in part.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import CountinghouseError, ErrorKind, UnavailableError
from apps.core.failpoints import failpoint
from apps.core.idempotency import (
    Answer,
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    refusal_from_json,
)
from apps.credits.contracts import Consumption
from apps.credits.refusals import access_refusal, decision_refusal, hold_refusal
from apps.credits.rules.decision import decide
from apps.credits.rules.occurrence import check_occurrence
from apps.credits.rules.pricing import free_left
from apps.credits.selectors.policies import forget_terms, remembered_terms, terms_in_force, terms_of
from apps.credits.services.accounts import account_settle
from apps.credits.services.consume_statement import (
    BATCH,
    CONSUME,
    Outcome,
    common_of,
    fetched,
    hash_of,
    items_of,
    json_text,
    outcome_from,
    scope_of,
)
from apps.credits.services.decisions import decisions_keep, receipt_values, refused_values

__all__ = ["OPERATION", "Result", "credits_consume", "credits_consume_batch", "scope_of"]

OPERATION = "credits.consume"
_TRIES = 6


Result = Answer | CountinghouseError


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
    keys: set[str] = set()
    later: list[int] = []
    for place, item in enumerate(consumptions):
        if item.key in keys:
            later.append(place)
        keys.add(item.key)
    repeated = set(later)
    first = [place for place in range(len(consumptions)) if place not in repeated]
    found = _consume(context, [consumptions[place] for place in first], batch=True)
    results = dict(zip(first, found, strict=True))
    for place in later:
        results[place] = _consume(context, [consumptions[place]], batch=False)[0]
    return [results[place] for place in range(len(consumptions))]


def _consume(context: ExecutionContext, items: Sequence[Consumption], *, batch: bool) -> list[Result]:
    now = clock.now()
    results: dict[int, Result] = {}
    hashes = [hash_of(item) for item in items]
    expected: dict[int, int] = {}
    waiting = list(range(len(items)))
    refusals: list[tuple[int, Outcome]] = []
    tries = _TRIES
    while waiting and tries:
        outcomes = _send(context, items, hashes, waiting, expected, now, batch=batch)
        # A batch goes on as long as it gets on: one account may have many items that must be sent again.
        before, waiting = len(waiting), []
        for place, outcome in outcomes:
            result = _settled(context, items[place], outcome, place, expected)
            if result is not None:
                results[place] = result
            elif outcome.name.startswith(("refused", "hold_")):
                refusals.append((place, outcome))
            else:
                waiting.append(place)
        waiting.sort()
        tries = _TRIES if len(waiting) < before else tries - 1
    for place in waiting:
        results[place] = UnavailableError("The account changes faster than this could be decided. Try it again.")
    if refusals:
        results.update(_refuse(context, items, hashes, refusals, now))
    return [results[place] for place in range(len(items))]


def _send(
    context: ExecutionContext,
    items: Sequence[Consumption],
    hashes: Sequence[str],
    places: Sequence[int],
    expected: dict[int, int],
    now: datetime,
    *,
    batch: bool,
) -> list[tuple[int, Outcome]]:
    terms = remembered_terms(context.product_id) if context.product_id else None
    if batch and terms is None and context.product_id is not None:
        # Without it each item would come back by itself, only to say which policy is in force.
        terms = terms_in_force(context.product_id, now)
    common = common_of(context, terms, now)
    meant, known = [items[place] for place in places], [hashes[place] for place in places]
    sent = items_of(context, meant, known, terms, now, [expected.get(place) for place in places])
    failpoint("credits.before_statement")
    if batch:
        rows = [(places[int(row[0]) - 1], row[1:]) for row in fetched(BATCH, json_text(sent), json_text(common))]
    else:
        rows = [(places[0], row) for row in fetched(CONSUME, json_text(common | sent[0]))]
    failpoint("credits.after_statement")
    return [(place, outcome_from(*row)) for place, row in rows]


def _settled(  # noqa: C901 - one case for each word of the statement
    context: ExecutionContext, item: Consumption, outcome: Outcome, place: int, expected: dict[int, int]
) -> Result | None:
    """The result where the statement's word is the last; else None, with everything ready to ask again."""
    facts = outcome.facts
    match outcome.name:
        case "charged" | "replayed":
            return Answer(201, outcome.answer or {}, replayed=outcome.name == "replayed")
        case "refused_before":
            return refusal_from_json(outcome.answer or {})
        case "reused":
            return IdempotencyKeyReusedError(
                f"The idempotency key {item.key!r} was used for another request. Use a new key for a new request."
            )
        case "in_flight":
            return IdempotencyKeyInFlightError(
                f"A request with the idempotency key {item.key!r} is still in progress; repeat it in a moment.",
                retry_after_seconds=1,
            )
        case "stale_policy" if facts is not None and context.product_id is not None:
            known = remembered_terms(context.product_id)
            if facts.policy_id is None:
                forget_terms(context.product_id)
            elif known is None or known.id != facts.policy_id:  # once, however many items of a batch say it
                terms_of(facts.policy_id)
        case "due" if facts is not None and facts.organization_id is not None:
            account_settle(context, account_id=facts.organization_id)
        case "free_boundary" if facts is not None and context.product_id is not None:
            terms = remembered_terms(context.product_id)
            price = terms.prices.get(item.question.operation) if terms else None
            if price is not None:
                expected[place] = free_left(price, facts.free_used)
    return None


def _refuse(
    context: ExecutionContext,
    items: Sequence[Consumption],
    hashes: Sequence[str],
    refused: Sequence[tuple[int, Outcome]],
    now: datetime,
) -> dict[int, Result]:
    """Explain each refusal, keep it with its receipt, and answer; a key that was quicker elsewhere answers for it."""
    results: dict[int, Result] = {}
    receipts: list[dict[str, object]] = []
    kept: list[dict[str, object]] = []
    for place, outcome in refused:
        refusal, receipt = _explained(context, items[place], outcome, now)
        results[place] = refusal
        if receipt is not None:
            receipts.append(receipt)
        # A hold that is not there is no decision: as everywhere, a 404 is not kept.
        is_impossible = refusal.kind is ErrorKind.UNPROCESSABLE
        is_of_hold = outcome.name.startswith("hold_") and refusal.kind is not ErrorKind.NOT_FOUND
        if receipt is not None or is_impossible or is_of_hold:
            values = {"scope": scope_of(context), "key": items[place].key, "operation": OPERATION}
            kept.append(refused_values(**values, body_hash=hashes[place], refusal=refusal, at=now))
    if kept:
        lost = {record["key"] for record in kept} - decisions_keep(receipts, kept)
        for place, _ in refused:
            if items[place].key in lost:
                # Another request with this key was decided first, and its answer counts (spec 11, the second race).
                results[place] = _consume(context, [items[place]], batch=False)[0]
    return results


def _explained(
    context: ExecutionContext, item: Consumption, outcome: Outcome, now: datetime
) -> tuple[CountinghouseError, dict[str, object] | None]:
    facts, question = outcome.facts, item.question
    if facts is None:
        raise RuntimeError("A refusal came without the facts that it rests on.")
    is_identity = Scope.TENANTS_MANAGE in context.scopes
    refusal = access_refusal(facts, question, product=context.actor.label, is_identity=is_identity)
    if refusal is not None:
        return refusal, None
    if outcome.name.startswith("hold_") and item.hold_id is not None:
        return hold_refusal(outcome.name.removeprefix("hold_"), item.hold_id), None
    if item.occurred_at is not None:
        try:
            check_occurrence(item.occurred_at, now)
        except CountinghouseError as error:
            return error, None
    terms = remembered_terms(context.product_id) if context.product_id else None
    decision = decide(facts, terms, question, at=now, outcome=item.outcome)
    if decision.is_allowed:
        raise RuntimeError(f"The statement refused what the rules allow: {outcome}")
    receipt = receipt_values(
        context, decision=decision, facts=facts, question=question, at=now, outcome=item.outcome, key=item.key
    )
    known = sorted(terms.prices) if terms else []
    return decision_refusal(decision, question, UUID(str(receipt["id"])), known), receipt
