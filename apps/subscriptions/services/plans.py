"""Plans: made and changed by platform admins, the console and the sample data."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.free_text import refuse_key_like, stored_form
from apps.core.ids import AuditTarget
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions import events
from apps.subscriptions.enums import CreditCadence, PlanInterval
from apps.subscriptions.models import Plan
from apps.subscriptions.selectors.records import PLAN_TARGET, plan_for_update, plan_values
from apps.subscriptions.services.change_steps import changed_names, impossible, require_reason

PLAN_OPERATION = "plans.manage"


@dataclass(frozen=True, slots=True)
class PlanParams:
    """What a plan is to say. The price is in the currency's minor unit, an interval; its credits are micro-credits."""

    name: str
    price_minor: int
    currency: str = "EUR"
    interval: PlanInterval = PlanInterval.MONTH
    is_active: bool = True
    credit_allowance: int | None = None
    credit_cadence: str = ""
    credit_expires_after_days: int | None = None
    credit_rollover_cap: int | None = None


@transaction.atomic
def plan_upsert(context: ExecutionContext, *, slug: str, params: PlanParams, reason: str = "") -> Plan:
    """Make the plan with this slug or bring it up to date; saying the same again changes nothing.

    Raises `UnprocessableError` for a negative price or a currency that is no ISO 4217 code.
    """
    require(context, PLAN_OPERATION)
    require_reason(context, reason)
    if params.price_minor < 0:
        raise impossible("price_minor", "A price can't be negative.")
    if not (len(params.currency) == 3 and params.currency.isascii() and params.currency.isupper()):  # noqa: PLR2004 - ISO 4217
        raise impossible("currency", "A currency has three capital letters, such as EUR.")
    _require_possible_credits(params)
    refuse_key_like("slug", slug)
    lock_name(f"plan:{slug}")
    plan = plan_for_update(slug)
    before = plan_values(plan) if plan else {}
    plan = plan or Plan(slug=slug)
    for name in PlanParams.__dataclass_fields__:
        setattr(plan, name, stored_form(plan, name, getattr(params, name)))
    if not changed_names(before, plan_values(plan)):
        return plan
    row_versions_attribute(context, reason=reason)
    plan.save()
    audit_append(
        context,
        events.PLAN_CHANGED if before else events.PLAN_CREATED,
        AuditTarget(PLAN_TARGET, plan.pk),
        before=before,
        after=plan_values(plan),
        reason=reason,
    )
    return plan


def _require_possible_credits(params: PlanParams) -> None:
    if params.credit_allowance is None:
        for name in ("credit_cadence", "credit_expires_after_days", "credit_rollover_cap"):
            if getattr(params, name):
                raise impossible(name, "The plan gives no credits. Say how many, or leave this empty.")
        return
    if params.credit_cadence not in CreditCadence.values:
        raise impossible("credit_cadence", "Say how often the plan gives its credits.")
    if params.credit_rollover_cap and params.credit_expires_after_days:
        raise impossible("credit_rollover_cap", "Only credits that end with their cadence can be carried over.")
