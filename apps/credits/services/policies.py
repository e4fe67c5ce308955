"""Credit policies: drafted, and published for good (spec 05, Policy)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.audit_events import AuditEvent
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, UnprocessableError
from apps.core.free_text import refuse_key_like
from apps.core.ids import AuditTarget, ProductId
from apps.core.locks import lock_name
from apps.credits import events
from apps.credits.enums import PolicyStatus
from apps.credits.models import CreditPolicy, OperationPrice
from apps.credits.rules.outcomes import near_misses
from apps.credits.rules.pricing import Price, is_possible
from apps.credits.selectors.policies import policy_terms


@transaction.atomic
def credit_policy_draft(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    prices: Sequence[Price],
    effective_from: datetime | None = None,
    reason: str = "",
) -> CreditPolicy:
    """Write the product's one draft, in place of the draft before. Raises `UnprocessableError` for an odd price."""
    lock_name(f"credit-policy:{product_id}")
    _guard(prices)
    now = clock.now()
    last = (
        CreditPolicy.objects.filter(product_id=product_id, status=PolicyStatus.PUBLISHED).order_by("-version").first()
    )
    CreditPolicy.objects.filter(product_id=product_id, status=PolicyStatus.DRAFT).delete()
    policy = CreditPolicy.objects.create(
        product_id=product_id,
        version=last.version + 1 if last else 1,
        effective_from=effective_from or now,
        created_at=now,
    )
    OperationPrice.objects.bulk_create(
        OperationPrice(
            policy=policy,
            operation=price.operation,
            unit=price.unit,
            unit_price=price.unit_price,
            minimum_charge=price.minimum_charge,
            free_quantity=price.free_quantity,
            billable_outcomes=list(price.billable_outcomes),
            quantum=price.quantum,
            other_outcomes=list(price.other_outcomes),
        )
        for price in prices
    )
    _audit(context, policy, events.CREDIT_POLICY_DRAFTED, reason=reason)
    return policy


@transaction.atomic
def credit_policy_publish(
    context: ExecutionContext, *, policy_id: UUID, reason: str = "", accept_outcomes: bool = False
) -> CreditPolicy:
    """Publish the draft for good. Raises `ConflictError` when it is none, or begins before the version in force.

    Raises `UnprocessableError` for an outcome that nearly equals a usual one, unless `accept_outcomes` says that it is
    meant so: where the product spells it as usual, its runs would be refused.
    """
    policy = CreditPolicy.objects.select_for_update().filter(pk=policy_id).first()
    if policy is None or policy.status != PolicyStatus.DRAFT:
        raise ConflictError("Only a draft can be published; what is published never changes. Make a new draft.")
    lock_name(f"credit-policy:{policy.product_id}")
    last = (
        CreditPolicy.objects.filter(product_id=policy.product_id, status=PolicyStatus.PUBLISHED)
        .order_by("-version")
        .first()
    )
    if last is not None and policy.effective_from < last.effective_from:
        raise ConflictError(
            f"The draft would begin before version {last.version}, which begins at {last.effective_from:%Y-%m-%d %H:%M}"
            " UTC. Choose a later effective_from."
        )
    if not accept_outcomes:
        _refuse_near_misses(policy)
    policy.status, policy.published_at = PolicyStatus.PUBLISHED, clock.now()
    policy.save(update_fields=["status", "published_at"])
    _audit(context, policy, events.CREDIT_POLICY_PUBLISHED, reason=reason)
    return policy


@transaction.atomic
def credit_policy_publish_prices(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    prices: Sequence[Price],
    effective_from: datetime | None = None,
    accept_outcomes: bool = False,
) -> CreditPolicy | None:
    """Publish a reviewed list of prices as the next version; None when the newest version says the same already."""
    lock_name(f"credit-policy:{product_id}")
    last = (
        CreditPolicy.objects.filter(product_id=product_id, status=PolicyStatus.PUBLISHED).order_by("-version").first()
    )
    if last is not None and effective_from in {None, last.effective_from}:
        wanted = {price.operation: price for price in prices}
        if policy_terms(last).prices == wanted and len(wanted) == len(prices):
            return None
    policy = credit_policy_draft(context, product_id=product_id, prices=prices, effective_from=effective_from)
    return credit_policy_publish(context, policy_id=policy.pk, accept_outcomes=accept_outcomes)


def _refuse_near_misses(policy: CreditPolicy) -> None:
    sentences = [
        f"{name} has the outcome `{outcome}`, which is close to the usual `{usual}`."
        for name, price in sorted(policy_terms(policy).prices.items())
        for outcome, usual in near_misses(price.outcomes).items()
    ]
    if sentences:
        remedy = "Correct it, or confirm that the product spells it so."
        raise UnprocessableError(
            f"{' '.join(sentences)} {remedy}",
            code="outcome_nearly_usual",
            title="An outcome is nearly a usual one",
            errors=[FieldError("operations", "outcome_nearly_usual", sentence) for sentence in sentences],
        )


def _guard(prices: Sequence[Price]) -> None:
    names = [price.operation for price in prices]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not prices or twice:
        sentence = f"Each operation may have one price; twice: {', '.join(twice)}." if twice else "A policy has prices."
        raise UnprocessableError(sentence, errors=[FieldError("operations", "not_unique", sentence)])
    for price in prices:
        for text in (price.operation, price.unit, *price.outcomes):
            refuse_key_like("operations", text)
        if not is_possible(price):
            sentence = (
                f"The price of {price.operation} can't be: amounts are 0 to 10^9, the quantum is more than 0, and the "
                "minimum charge is a multiple of the quantum."
            )
            raise UnprocessableError(sentence, errors=[FieldError("operations", "impossible_price", sentence)])


def _audit(context: ExecutionContext, policy: CreditPolicy, event: AuditEvent, *, reason: str = "") -> None:
    # Rows, not a mapping by operation: products choose these names, and the audit log judges keys by their names.
    prices = [
        {"operation": name, "unit": price.unit, "unit_price": price.unit_price, "quantum": price.quantum}
        | {"minimum_charge": price.minimum_charge, "free_quantity": price.free_quantity}
        | {"billable_outcomes": list(price.billable_outcomes), "other_outcomes": list(price.other_outcomes)}
        for name, price in sorted(policy_terms(policy).prices.items())
    ]
    audit_append(
        context,
        event,
        AuditTarget("credit_policy", policy.pk),
        after={"product_id": policy.product_id, "version": policy.version, "prices": prices}
        | {"effective_from": policy.effective_from},
        reason=reason,
    )
