"""Staff name a plan's prices and products at a provider (spec 04, Webhooks)."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.free_text import stored_form
from apps.core.ids import AuditTarget
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.payments import events
from apps.payments.enums import PlanReferenceKind
from apps.payments.models import PlanReference
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import Plan
from apps.subscriptions.services.plans import PLAN_OPERATION


@transaction.atomic
def plan_reference_add(
    context: ExecutionContext,
    *,
    plan_id: UUID,
    provider: Provider,
    kind: PlanReferenceKind,
    value: str,
    reason: str,
) -> PlanReference:
    """Say that a provider's price, lookup key or product is this plan; saying it again changes nothing.

    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError` for an empty or impossible name or without a reason,
    `ConflictError` when the name is another plan's.
    """
    require(context, PLAN_OPERATION)
    _require_reason(reason)
    plan = Plan.objects.filter(pk=plan_id).first()
    if plan is None:
        raise NotFoundError("There is no such plan.")
    value = (stored_form(PlanReference, "value", value.strip()) or "").strip()
    if not value:
        raise UnprocessableError(f"Enter the {kind.label.lower()} as {provider.label} shows it.")
    lock_name(f"plan_reference:{provider.value}:{kind.value}:{value}")
    known = PlanReference.objects.filter(provider=provider, kind=kind, value=value).select_related("plan").first()
    if known is not None and known.plan_id != plan.pk:
        raise ConflictError(f"{kind.label} {value} is the plan {known.plan.name}. Remove it there first.")
    if known is not None:
        return known
    reference = PlanReference.objects.create(plan=plan, provider=provider, kind=kind, value=value)
    audit_append(
        context, events.PLAN_NAMED, AuditTarget("plan", plan.pk), after={"added": _described(reference)}, reason=reason
    )
    return reference


@transaction.atomic
def plan_reference_remove(context: ExecutionContext, *, plan_id: UUID, reference_id: UUID, reason: str) -> None:
    """Take back a name of this plan, such as a price that was recognised by a wrong key. What is mirrored stays.

    Raises `ForbiddenError`, `UnprocessableError` without a reason, `NotFoundError`.
    """
    require(context, PLAN_OPERATION)
    _require_reason(reason)
    reference = PlanReference.objects.select_for_update().filter(pk=reference_id, plan=plan_id).first()
    if reference is None:
        raise NotFoundError("The plan has no such name any more. Reload the page.")
    before = _described(reference)
    reference.delete()
    audit_append(context, events.PLAN_NAMED, AuditTarget("plan", plan_id), before={"removed": before}, reason=reason)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise UnprocessableError("Say why this is the plan's name at the provider.")


def _described(reference: PlanReference) -> str:
    return f"{reference.get_provider_display()}: {reference}"
