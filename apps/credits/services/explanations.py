"""Says what the gate answers to one question, now or as of a moment; changes nothing (spec 08, "Why?").

Both are `rules.decision.decide`; as of a moment the facts are rebuilt from the ledger and the audit log (spec 03).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from apps.core import clock
from apps.core.errors import Reason
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.moments import zone_of
from apps.credits.contracts import CreditFacts, Question
from apps.credits.models import CreditAccount
from apps.credits.refusals import access_refusal
from apps.credits.rules.decision import Decision, decide
from apps.credits.rules.pricing import PolicyTerms
from apps.credits.selectors.as_of import free_used_at, standing_at, terms_at
from apps.credits.selectors.policies import terms_in_force
from apps.credits.services.authorization import credit_facts
from apps.credits.services.decisions import missing_fact
from apps.subscriptions.history import facts_as_of, usage_override_as_of
from apps.tenants.history import member_as_of
from apps.tenants.models import Product, ProductRelation

_DUE = (
    "A grant or hold of this account has come to its end or beginning and is not booked yet. The next request books "
    "it, so its balance may differ from the one here."
)
_FREE_UNKNOWN = (
    "How much of the month's free quantity was used by then is not known, as the account had too many entries in that "
    "month. The price here counts on what is used of that month today."
)


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """The gate's answer. `price` is in micro-credits; `gaps` are sentences on what could not be rebuilt or is due."""

    is_allowed: bool
    chain: tuple[Reason, ...]
    price: int | None = None
    gaps: tuple[str, ...] = ()


def credits_explain(product: Product, question: Question, *, at: datetime | None = None) -> ExplainedAnswer:
    """What the product would be answered to the question about an organization's account; `at` None: now."""
    product_id = UUID(str(product.pk))
    if at is None:
        now = clock.now()
        facts = credit_facts(product_id, question, now)
        is_due = facts.next_due_at is not None and facts.next_due_at <= now
        gaps: tuple[str, ...] = (_DUE,) if is_due else ()
        missing = missing_fact(facts, question, product_id, is_for_product=False)
        return _answer(product, facts, terms_in_force(product_id, now), question, now, gaps, missing)
    terms = terms_at(product_id, at)
    then, gaps = _facts_at(product_id, question, terms, at)
    return _answer(product, then, terms, question, at, gaps)


def _answer(
    product: Product,
    facts: CreditFacts,
    terms: PolicyTerms | None,
    question: Question,
    at: datetime,
    gaps: tuple[str, ...],
    missing: Reason | None = None,
) -> ExplainedAnswer:
    refusal = access_refusal(facts, question, product=product.slug, is_identity=False)
    if refusal is not None:
        chain = tuple(refusal.explanation) or (Reason("access", "deny", refusal.detail),)
        return ExplainedAnswer(is_allowed=False, chain=chain, gaps=gaps)
    decision: Decision = decide(facts, terms, question, at=at, missing=missing)
    return ExplainedAnswer(decision.is_allowed, decision.chain, decision.price, gaps)


def _facts_at(
    product_id: UUID, question: Question, terms: PolicyTerms | None, at: datetime
) -> tuple[CreditFacts, tuple[str, ...]]:
    """The facts of the moment, and what of them is not those of then."""
    # What never changes, such as whose workspace it is, comes with the facts; the rest is put in its place.
    facts, gaps = credit_facts(product_id, question, at), list[str]()
    organization_id = OrganizationId(question.account.id)
    then = {**_lifecycle_at(organization_id, question.workspace_id, at), **_credits_at(organization_id, at)}
    if question.user_id is not None:
        member = member_as_of(organization_id, UserId(question.user_id), at)
        then["role"] = member.role.value if member.role else None
        gaps += [member.gap] if member.gap else []
    relations = ProductRelation.objects.filter(organization=organization_id, product=product_id)
    then["is_related"] = facts.is_related and not relations.filter(created_at__gt=at).exists()
    then |= {"policy_id": terms.id if terms else None, "policy_version": terms.version if terms else None}
    price = terms.prices.get(question.operation) if terms else None
    if price is not None and price.free_quantity:
        used = _free_used(organization_id, product_id, question.operation, at)
        then["free_used"] = facts.free_used if used is None else used
        gaps += [_FREE_UNKNOWN] if used is None else []
    return msgspec.structs.replace(facts, **then), tuple(gaps)


def _lifecycle_at(organization_id: OrganizationId, workspace_id: UUID | None, at: datetime) -> dict[str, object]:
    if workspace_id is None:
        raise ValueError("Only questions about a workspace are rebuilt as of a moment.")
    lived = facts_as_of(WorkspaceId(workspace_id), at)
    record = lived.subscription
    return {
        "closed_at": lived.organization_closed_at,
        "overlay_state": lived.overlay.value if lived.overlay else "",
        "overlay_reason": lived.overlay_reason,
        "payment_status": lived.payment_status,
        "grace_period_end_at": lived.grace_period_end_at,
        "subscription_status": lived.subscription_status,
        "only_named_workspaces": lived.only_named_workspaces,
        "config_version": lived.payment_config_version,
        "category_override": usage_override_as_of(organization_id, at),
        "subscription_id": record.id if record else None,
        "subscription_state": record.state if record else None,
        "managed_by": record.managed_by if record else None,
        "subscription_version": record.version if record else None,
        "trial_ends_at": record.trial_ends_at if record else None,
        "current_period_end": record.current_period_end if record else None,
    }


def _credits_at(organization_id: OrganizationId, at: datetime) -> Mapping[str, object]:
    account = CreditAccount.objects.filter(pk=organization_id, created_at__lte=at).first()
    if account is None:
        return {"has_account": False, "balance": 0, "held": 0, "overdraft_limit": 0}
    then = standing_at(account, at)
    return {"balance": then.balance, "held": then.held, "overdraft_limit": then.overdraft_limit}


def _free_used(organization_id: OrganizationId, product_id: UUID, operation: str, at: datetime) -> int | None:
    account = CreditAccount.objects.select_related("organization").filter(pk=organization_id).first()
    if account is None:
        return 0
    zone = zone_of(account.organization.time_zone)
    return free_used_at(account, product_id, operation, zone, at)
