"""Marks of explained differences: made with a reason, taken back by a click, both audited (spec 02, Cutover)."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.operations import require
from apps.credits import events
from apps.credits.enums import DisagreementClass
from apps.credits.models import DifferenceMark, ShadowDisagreement
from apps.tenants.models import Product

OPERATION = "differences.explain"


@transaction.atomic
def differences_explain(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    difference: DisagreementClass,
    operation: str,
    covers_coming: bool,
    reason: str,
) -> DifferenceMark:
    """Say why a class of differences doesn't count: of one operation, or of any where it is empty.

    It speaks of those seen until now, and with `covers_coming` of those to come. Raises `ForbiddenError`,
    `NotFoundError`, and `UnprocessableError` without a reason.
    """
    require(context, OPERATION)
    product = Product.objects.filter(pk=product_id).first()
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    values = {"operation": operation, "covers_until": None if covers_coming else clock.now()}
    return _mark(context, product, difference, reason, **values)


@transaction.atomic
def difference_explain(context: ExecutionContext, *, disagreement_id: UUID, reason: str) -> DifferenceMark:
    """Say why this one difference doesn't count. Raises as `differences_explain`."""
    require(context, OPERATION)
    found = ShadowDisagreement.objects.select_related("product").filter(pk=disagreement_id).first()
    if found is None:
        raise NotFoundError(f"There is no disagreement {disagreement_id}.")
    values = {"operation": found.operation, "disagreement_id": found.pk, "covers_until": found.seen_at}
    return _mark(context, found.product, DisagreementClass(found.difference), reason, **values)


@transaction.atomic
def difference_mark_undo(context: ExecutionContext, *, mark_id: UUID, reason: str) -> DifferenceMark:
    """Let what the mark spoke of count again. Raises `ForbiddenError`, `NotFoundError`, `ConflictError` if undone."""
    require(context, OPERATION)
    mark = DifferenceMark.objects.select_for_update(no_key=True).filter(pk=mark_id).first()
    if mark is None:
        raise NotFoundError(f"There is no mark {mark_id}.")
    if mark.undone_at is not None:
        raise ConflictError("This mark was taken back before.")
    mark.undone_at, mark.undone_by = clock.now(), context.actor.label
    mark.save(update_fields=["undone_at", "undone_by"])
    audit_append(
        context,
        events.DIFFERENCE_MARK_UNDONE,
        mark.product.audit_target,
        before=_values(mark),
        after={"mark": str(mark.pk)},
        reason=reason,
    )
    return mark


def _mark(
    context: ExecutionContext, product: Product, difference: DisagreementClass, reason: str, **values: object
) -> DifferenceMark:
    if not reason.strip():
        raise UnprocessableError("Say why.", errors=[FieldError("reason", "blank", "Say why.")])
    mark: DifferenceMark = DifferenceMark.objects.create(
        id=uuid.uuid4(),
        product=product,
        difference=difference,
        reason=reason,
        marked_by=context.actor.label,
        marked_at=clock.now(),
        **values,
    )
    audit_append(context, events.DIFFERENCE_EXPLAINED, product.audit_target, after=_values(mark), reason=reason)
    return mark


def _values(mark: DifferenceMark) -> dict[str, object]:
    return {
        "mark": str(mark.pk),
        "difference": mark.difference,
        "operation": mark.operation,
        "disagreement": str(mark.disagreement_id) if mark.disagreement_id else None,
        "covers_until": mark.covers_until,
    }
