"""What a cutover check leaves here: a synthetic organization while it runs, and its result (spec 02, Cutover)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError
from apps.core.ids import OrganizationId, ProductId
from apps.core.operations import require
from apps.core.wakeups import wake_after_commit
from apps.tenants import events
from apps.tenants.billing_modes import CheckFacts
from apps.tenants.enums import BillingMode, CutoverRunStatus, OrganizationKind
from apps.tenants.models import BillingModeException, CutoverCheck, CutoverRun, Organization, Product
from apps.tenants.selectors.products import product_for_update
from apps.tenants.services.closing import organization_replace
from apps.tenants.services.organizations import OrganizationParams, organization_upsert
from apps.tenants.services.products import product_relation_upsert

OPERATION = "products.manage"
RUN_TASK = "backoffice.run_cutover_check"
# After this a queued run is handed out again: its message was lost.
QUEUE_LEASE = timedelta(minutes=5)
# A check takes seconds; what stands longer was left by a process that was killed.
STAGE_LASTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of a check: `passed`, `failed`, or `nothing` where there was nothing to compare."""

    name: str
    outcome: str
    detail: str = ""


@transaction.atomic
def cutover_stage_open(context: ExecutionContext, *, product: Product) -> Organization:
    """A fresh synthetic organization of the product, decided centrally, from which nothing leaves the building."""
    require(context, OPERATION)
    params = OrganizationParams(
        name=f"Cutover check of {product.name}"[:200], kind=OrganizationKind.TEAM, is_synthetic=True
    )
    organization_id = OrganizationId(uuid.uuid4())
    organization = organization_upsert(context, organization_id=organization_id, params=params).record
    product_relation_upsert(context, organization_id=organization_id, product_slug=product.slug, reason="cutover check")
    BillingModeException.objects.create(
        product=product, organization=organization, mode=BillingMode.CENTRAL, set_at=clock.now()
    )
    return organization


def cutover_stage_close(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """End what `cutover_stage_open` made; its rows stay."""
    organization_replace(context, organization_id=organization_id, reason="the cutover check is over")


@transaction.atomic
def cutover_check_store(
    context: ExecutionContext,
    *,
    product: Product,
    lines: Sequence[CheckLine],
    facts: CheckFacts,
    base_url: str,
    started_at: datetime,
) -> CutoverCheck:
    """Keep a check's result; the gate to central asks for the latest."""
    require(context, OPERATION)
    check: CutoverCheck = CutoverCheck.objects.create(
        id=uuid.uuid4(),
        product=product,
        has_passed=facts.has_passed,
        lines=[asdict(line) for line in lines],
        days=facts.days,
        compared=facts.compared,
        agreed=facts.agreed,
        unexplained_amounts=facts.unexplained_amounts,
        base_url=base_url,
        run_by=context.actor.label,
        started_at=started_at,
        finished_at=facts.finished_at or clock.now(),
    )
    failed = [line.name for line in lines if line.outcome == "failed"]
    audit_append(
        context, events.CUTOVER_CHECKED, product.audit_target, after={"passed": facts.has_passed, "failed": failed}
    )
    return check


@transaction.atomic
def cutover_run_request(context: ExecutionContext, *, product_id: ProductId, base_url: str, reason: str) -> CutoverRun:
    """Queue a cutover check; one that is queued or running already is the answer.

    Raises `ForbiddenError`, `NotFoundError`.
    """
    require(context, OPERATION)
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    active = CutoverRun.objects.filter(
        product=product, status__in=[CutoverRunStatus.QUEUED, CutoverRunStatus.RUNNING]
    ).first()
    if active is not None:
        return active
    run: CutoverRun = CutoverRun.objects.create(
        id=uuid.uuid4(),
        product=product,
        status=CutoverRunStatus.QUEUED,
        base_url=base_url,
        reason=reason,
        requested_by=context.actor.label,
        lease_expires_at=clock.now() + QUEUE_LEASE,
        created_at=clock.now(),
    )
    audit_append(
        context, events.CUTOVER_CHECK_REQUESTED, product.audit_target, after={"run": str(run.pk)}, reason=reason
    )
    wake_after_commit(RUN_TASK, str(run.pk))
    return run


def cutover_stages_close_stale(context: ExecutionContext, *, product: Product) -> int:
    """Close what checks of the product have left open whose process was killed; how many."""
    stale = Organization.objects.filter(
        product_relations__product=product,
        is_synthetic=True,
        closed_at=None,
        created_at__lt=clock.now() - STAGE_LASTS,
    )
    found = list(stale.values_list("pk", flat=True))
    for organization_id in found:
        cutover_stage_close(context, organization_id=OrganizationId(organization_id))
    return len(found)
