"""Published policies. They never change, so each process remembers those that it read of a product.

Which one is in force is read anew by every statement that decides; where it is another than the remembered one, it is
read and remembered too. Late news are priced by the policy of their time, so that a process knows several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.credits.enums import PolicyStatus
from apps.credits.models import CreditPolicy, OperationPrice
from apps.credits.rules.pricing import PolicyTerms, Price

_MOST_REMEMBERED = 20
_remembered: dict[UUID, dict[UUID, PolicyTerms]] = {}


def remembered_terms(product_id: UUID, at: datetime | None = None) -> PolicyTerms | None:
    """What of this process's policies was in force at the moment; None of `at` is the newest. May be out of force."""
    known = sorted(_remembered.get(product_id, {}).values(), key=lambda terms: terms.version)
    begun = [terms for terms in known if at is None or terms.effective_from <= at]
    # What happened before the first policy is priced by it.
    return begun[-1] if begun else known[0] if known else None


def forget_terms(product_id: UUID) -> None:
    """Nothing is in force any more, for what this process knows."""
    _remembered.pop(product_id, None)


def terms_of(policy_id: UUID) -> PolicyTerms:
    """The terms of a published policy, remembered from here on."""
    policy = CreditPolicy.objects.prefetch_related("prices").get(pk=policy_id, status=PolicyStatus.PUBLISHED)
    terms = policy_terms(policy)
    known = _remembered.get(terms.product_id, {})
    if len(known) >= _MOST_REMEMBERED:
        known = {}
    # A new mapping: other threads may be looking through the one before.
    _remembered[terms.product_id] = {**known, terms.id: terms}
    return terms


def known_terms(product_id: UUID, policy_id: UUID) -> PolicyTerms:
    """The terms of the product's policy, from memory where this process has read them."""
    return _remembered.get(product_id, {}).get(policy_id) or terms_of(policy_id)


def terms_in_force(product_id: UUID, at: datetime) -> PolicyTerms | None:
    """The product's policy in force at the moment."""
    policies = CreditPolicy.objects.filter(
        product_id=product_id, status=PolicyStatus.PUBLISHED, effective_from__lte=at
    ).order_by("-version")
    policy_id = policies.values_list("pk", flat=True).first()
    return None if policy_id is None else known_terms(product_id, policy_id)


def policy_terms(policy: CreditPolicy) -> PolicyTerms:
    """A policy with its prices, as the rules see it."""
    return PolicyTerms(
        id=policy.pk,
        product_id=policy.product_id,
        version=policy.version,
        effective_from=policy.effective_from,
        prices={row.operation: price_of(row) for row in sorted(policy.prices.all(), key=lambda row: row.operation)},
    )


def price_of(row: OperationPrice) -> Price:
    """A stored price as the rules see it."""
    return Price(
        operation=row.operation,
        unit=row.unit,
        unit_price=row.unit_price,
        minimum_charge=row.minimum_charge,
        free_quantity=row.free_quantity,
        billable_outcomes=tuple(row.billable_outcomes),
        quantum=row.quantum,
        other_outcomes=tuple(row.other_outcomes),
    )


@dataclass(frozen=True, slots=True)
class PricedOperation:
    """The unit of an operation by its latest price, and whether the policy in force has it."""

    unit: str
    is_current: bool


def priced_operations(product_ids: Sequence[UUID], at: datetime) -> dict[tuple[UUID, str], PricedOperation]:
    """Every operation that these products have had a price for by then, by product and name, in one query."""
    rows = (
        OperationPrice.objects.filter(
            policy__product__in=product_ids, policy__status=PolicyStatus.PUBLISHED, policy__effective_from__lte=at
        )
        .order_by("policy__version")
        .values_list("policy__product_id", "operation", "unit", "policy__version")
    )
    found = list(rows)
    latest: dict[UUID, int] = {}
    for product_id, _, _, version in found:
        latest[product_id] = max(version, latest.get(product_id, version))
    return {
        (product_id, operation): PricedOperation(unit, is_current=version == latest[product_id])
        for product_id, operation, unit, version in found
    }
