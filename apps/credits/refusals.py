"""Refusals of credits, each with a sentence that a person can act upon."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.core.amounts import format_micro
from apps.core.errors import (
    ConflictError,
    CountinghouseError,
    ErrorKind,
    FieldError,
    ForbiddenError,
    MalformedRequestError,
    NotFoundError,
    Reason,
    UnprocessableError,
)
from apps.credits.contracts import AccountRef, CreditFacts, Question
from apps.credits.enums import HoldStatus, Owned
from apps.credits.ownership import of_another_product
from apps.credits.rules.decision import Decision
from apps.credits.rules.outcomes import closest
from apps.credits.rules.pricing import PolicyTerms, Price


class InsufficientCreditsError(CountinghouseError):
    """The account's available credits do not cover the charge."""

    kind = ErrorKind.NOT_AFFORDABLE
    code = "insufficient_credits"
    title = "Insufficient credits"


def access_refusal(
    facts: CreditFacts, question: Question, *, product: str, is_identity: bool
) -> CountinghouseError | None:
    """Why the product may not ask this at all; None where it may. Such a refusal is no decision, and is not kept."""
    unknown = unknown_account(facts, question.account, is_identity=is_identity)
    if unknown is not None:
        return unknown
    if facts.organization_id is None:
        return None
    if not (facts.is_related or is_identity):
        return not_related(product, facts.organization_id)
    if question.workspace_id is None or facts.workspace_organization_id == facts.organization_id:
        return None
    if facts.workspace_organization_id is None:
        return NotFoundError(
            f"There is no workspace {question.workspace_id}. Make it first: POST workspaces:upsert.",
            code="unknown_workspace",
            title="Unknown workspace",
        )
    named = f"body: account names {facts.organization_id}, body: workspace_id is of {facts.workspace_organization_id}"
    return MalformedRequestError(
        f"The request names more than one organization ({named}). Send one request for each.",
        code="tenant_ambiguous",
        title="The request names more than one tenant",
        explanation=[Reason("one_tenant", "deny", named)],
    )


def unknown_account(facts: CreditFacts, account: AccountRef, *, is_identity: bool) -> CountinghouseError | None:
    """The account's organization or user does not exist, or is a user whom the product may not speak of."""
    if account.type.value == "user":
        may = facts.user_exists and (facts.is_related or is_identity)
        return None if may else unknown_person(account.id)
    if facts.organization_id is None:
        return NotFoundError(
            f"There is no organization {account.id}. Make it first: POST organizations:upsert.",
            code="unknown_organization",
            title="Unknown organization",
        )
    return None


def unknown_person(user_id: UUID) -> NotFoundError:
    """One answer for a user who does not exist and for another product's, so that nothing is learned by asking."""
    return NotFoundError(
        f"There is no user {user_id} whose personal account this product may use: it did not create such a user, and "
        "shares no organization with one. Send the user first (POST users:upsert), or add them to an organization that "
        "the product is related to (POST organizations/{id}/members:upsert).",
        code="unknown_user",
        title="Unknown user",
    )


def not_the_person(acting_user_id: UUID | None, user_id: UUID) -> ForbiddenError:
    """Somebody else's personal account, which has no members but the person."""
    return ForbiddenError(
        f"User {acting_user_id} is not a member of the personal account of user {user_id}.",
        code="not_a_member",
        title="Not a member of this organization",
        explanation=[Reason("membership", "deny", f"user {acting_user_id} is another person", f"user:{user_id}")],
    )


def not_related(product: str, organization_id: UUID) -> ForbiddenError:
    """The product may not speak of this organization."""
    record = f"organization:{organization_id}"
    return ForbiddenError(
        f"Product {product} is not related to organization {organization_id}: it did not create it, and neither the "
        "identity service nor staff related the two.",
        code="product_not_related",
        title="Product not related to this organization",
        explanation=[Reason("product_relation", "deny", f"no relation of product {product}", record)],
    )


def decision_refusal(
    decision: Decision, question: Question, decision_id: UUID, terms: PolicyTerms | None, outcome: str
) -> CountinghouseError:
    """A denial of the gate as the refusal of a consumption."""
    code, chain = decision.code, decision.chain
    facts = [step.fact for step in chain if step.outcome == "deny"]
    fact = facts[-1] if facts else ""
    if code == "insufficient_credits":
        return InsufficientCreditsError(
            f"The credits do not suffice: {fact}. Grant more, or send on_insufficient: record.",
            explanation=chain,
            decision_id=decision_id,
        )
    price = terms.prices.get(question.operation) if terms else None
    if code == "unknown_outcome" and price is not None:
        return unknown_outcome(outcome, price, explanation=chain, decision_id=decision_id)
    if code == "unknown_operation":
        return _unknown_operation(fact, question.operation, terms, explanation=chain, decision_id=decision_id)
    if code == "charge_too_large":
        sentence = f"{fact} Report the run in smaller quantities."
        errors = [FieldError("quantity", "out_of_range", sentence)]
        return UnprocessableError(sentence, errors=errors, explanation=chain, decision_id=decision_id)
    titles = {"not_a_member": "Not a member of this organization"}
    remedies = {"not_a_member": " Add the user first: POST organizations/{id}/members:upsert."}
    return ForbiddenError(
        f"This may not be consumed: {'; '.join(facts)}.{remedies.get(code, '')}",
        code=code,
        title=titles.get(code, "The workspace's lifecycle does not allow this"),
        explanation=chain,
        decision_id=decision_id,
    )


def _unknown_operation(
    fact: str, operation: str, terms: PolicyTerms | None, *, explanation: Sequence[Reason], decision_id: UUID
) -> UnprocessableError:
    suggestion = closest(operation, sorted(terms.prices) if terms else [])
    remedy = f"Did you mean `{suggestion}`?" if suggestion else "Publish it in a policy first."
    sentence = f"{fact[:1].upper()}{fact[1:]}. {remedy}"
    return UnprocessableError(
        sentence,
        code="unknown_operation",
        title="Unknown operation",
        errors=[FieldError("operation", "unknown_operation", sentence, suggestion)],
        explanation=explanation,
        decision_id=decision_id,
    )


def unknown_outcome(
    outcome: str, price: Price, *, explanation: Sequence[Reason] = (), decision_id: UUID | None = None
) -> UnprocessableError:
    """The policy does not say whether a run that ended so is charged."""
    suggestion = closest(outcome, price.outcomes)
    meant = f"Did you mean `{suggestion}`?" if suggestion else f"It knows {', '.join(price.outcomes)}."
    sentence = f"The policy knows no outcome `{outcome}` of {price.operation}. {meant}"
    return UnprocessableError(
        sentence,
        code="unknown_outcome",
        title="Unknown outcome",
        errors=[FieldError("outcome", "unknown_outcome", sentence, suggestion)],
        explanation=explanation,
        decision_id=decision_id,
    )


def hold_refusal(state: str, hold_id: UUID) -> CountinghouseError:
    """Why a hold can't be used: unknown, foreign (another product's), or ended."""
    if state == "unknown":
        return NotFoundError(
            f"There is no hold {hold_id} of this account. Open one first: POST credits:authorize with `hold`.",
            code="unknown_hold",
            title="Unknown hold",
        )
    if state == "foreign":
        return of_another_product(Owned.HOLD, hold_id)
    ended = "has expired" if state == HoldStatus.EXPIRED else f"was {state} already"
    return ConflictError(
        f"The hold {hold_id} {ended}. Consume without it, or open a new one.",
        code=f"hold_{state}",
        title="The hold has ended",
    )


def unknown_hold(hold_id: UUID) -> NotFoundError:
    """There is no such hold."""
    return NotFoundError(
        f"There is no hold {hold_id}. Name the id that POST credits:authorize answered under `hold`.",
        code="unknown_hold",
        title="Unknown hold",
    )


def unknown_grant(grant_id: UUID) -> NotFoundError:
    """There is no such grant."""
    return NotFoundError(
        f"There is no grant {grant_id}. Name the grant_id that POST credits:grant answered with, or take one of GET "
        "accounts/{type}/{id}/grants.",
        code="unknown_grant",
        title="Unknown grant",
    )


def unknown_entry(entry_id: UUID) -> NotFoundError:
    """There is no such line of any ledger."""
    return NotFoundError(
        f"There is no entry {entry_id}. Name the entry_id that the charge was answered with.",
        code="unknown_entry",
        title="Unknown entry",
    )


def above(field: str, wanted: int, limit: int, what: str, *, remedy: str) -> UnprocessableError:
    """More than there is of something."""
    sentence = f"{format_micro(wanted)} is more than {what}, {format_micro(limit)}. {remedy}"
    return UnprocessableError(
        sentence, code="above_limit", title="More than there is", errors=[FieldError(field, "above_limit", sentence)]
    )
