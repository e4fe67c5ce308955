"""Moving a product, a percentage of its organizations, or one of them to another billing mode, and back (spec 02)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.access import is_related
from apps.tenants.billing_modes import missing_for_central
from apps.tenants.enums import BillingMode, BillingModeSource
from apps.tenants.models import BillingModeChange, BillingModeException, Product
from apps.tenants.selectors.billing_modes import latest_check_facts
from apps.tenants.selectors.organizations import organization_exists
from apps.tenants.selectors.products import product_for_update
from apps.tenants.services.refusals import unknown_organization

OPERATION = "products.manage"
ALL = 100


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is set at one place: for the product, the percentage, or an organization."""

    mode: BillingMode | None
    percentage: int = 0


@transaction.atomic
def product_billing_mode_change(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    billing_mode: BillingMode,
    reason: str,
    without_check: bool = False,
) -> Product:
    """Say who decides on the product's credits from the next call on. The same mode again changes nothing.

    Central is refused while something of `missing_for_central` is missing, unless staff override that. Raises
    `ForbiddenError`, `NotFoundError`, `ConflictError` `cutover_unchecked`, `UnprocessableError` without a reason.
    """
    product = _product(context, product_id, reason)
    before, after = _Setting(BillingMode(product.billing_mode)), _Setting(billing_mode)
    if before == after:
        return product
    _guard(product, after, without_check=without_check)
    product.billing_mode = billing_mode
    product.save(update_fields=["billing_mode"])
    _record(context, product, None, BillingModeSource.PRODUCT, before, after, reason, without_check)
    return product


@transaction.atomic
def billing_percentage_change(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    percentage: int,
    mode: BillingMode | None,
    reason: str,
    without_check: bool = False,
) -> Product:
    """Put a stable percentage of the product's organizations into a mode; 0 ends that. Raises as above."""
    product = _product(context, product_id, reason)
    if not 0 <= percentage <= ALL:
        raise _refused("percentage", "The percentage must be from 0 to 100.")
    if percentage and mode is None:
        raise _refused("mode", "Say which mode these organizations get.")
    after = _Setting(mode if percentage else None, percentage)
    before = _percentage_of(product)
    if before == after:
        return product
    _guard(product, after, without_check=without_check)
    product.percentage, product.percentage_mode = percentage, after.mode or ""
    product.save(update_fields=["percentage", "percentage_mode"])
    _record(context, product, None, BillingModeSource.PERCENTAGE, before, after, reason, without_check)
    return product


@transaction.atomic
def billing_exception_change(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    organization_id: OrganizationId,
    mode: BillingMode | None,
    reason: str,
    without_check: bool = False,
) -> Product:
    """Give one organization its own mode with the product; None ends that.

    Raises as above, and `UnprocessableError` for an organization that the product is not related to.
    """
    product = _product(context, product_id, reason)
    if not organization_exists(organization_id):
        raise unknown_organization(organization_id)
    if mode is not None and not is_related(product_id, organization_id):
        raise _refused("organization", "The product has no access to this organization. Relate the two first.")
    rows = BillingModeException.objects.filter(product=product, organization=organization_id)
    stored = rows.first()
    before, after = _Setting(BillingMode(stored.mode) if stored else None), _Setting(mode)
    if before == after:
        return product
    _guard(product, after, without_check=without_check)
    if mode is None:
        rows.delete()
    else:
        BillingModeException.objects.update_or_create(
            product=product, organization_id=organization_id, defaults={"mode": mode, "set_at": clock.now()}
        )
    _record(context, product, organization_id, BillingModeSource.ORGANIZATION, before, after, reason, without_check)
    return product


@transaction.atomic
def billing_mode_revert(context: ExecutionContext, *, product_id: ProductId, reason: str) -> BillingModeChange:
    """Take back the product's latest change of a mode. Back to central asks for a check as forward does.

    Raises as above, and `ConflictError` where there is nothing to take back.
    """
    product = _product(context, product_id, reason)
    latest = BillingModeChange.objects.filter(product=product).order_by("-changed_at").first()
    if latest is None:
        raise ConflictError("The billing mode of this product was never changed.")
    mode = BillingMode(latest.before) if latest.before else None
    if latest.scope == BillingModeSource.PERCENTAGE:
        billing_percentage_change(
            context, product_id=product_id, percentage=latest.percentage_before, mode=mode, reason=reason
        )
    elif latest.organization_id is not None:
        billing_exception_change(
            context,
            product_id=product_id,
            organization_id=OrganizationId(latest.organization_id),
            mode=mode,
            reason=reason,
        )
    elif mode is not None:
        product_billing_mode_change(context, product_id=product_id, billing_mode=mode, reason=reason)
    return latest


def _product(context: ExecutionContext, product_id: ProductId, reason: str) -> Product:
    require(context, OPERATION)
    if not reason.strip():
        raise _refused("reason", "Say why.")
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    return product


def _percentage_of(product: Product) -> _Setting:
    mode = BillingMode(product.percentage_mode) if product.percentage_mode else None
    return _Setting(mode, product.percentage)


def _guard(product: Product, after: _Setting, *, without_check: bool) -> None:
    if after.mode is not BillingMode.CENTRAL or without_check:
        return
    missing = missing_for_central(latest_check_facts(ProductId(product.pk)), clock.now())
    if missing:
        raise ConflictError(
            f"{product.name} is not ready for central. {' '.join(missing)} Run manage.py cutover_check --product "
            f"{product.slug}, or override this with a reason.",
            code="cutover_unchecked",
            title="Not ready for central",
        )


def _record(
    context: ExecutionContext,
    product: Product,
    organization_id: OrganizationId | None,
    scope: BillingModeSource,
    before: _Setting,
    after: _Setting,
    reason: str,
    without_check: bool,
) -> None:
    BillingModeChange.objects.create(
        id=uuid.uuid4(),
        product=product,
        organization_id=organization_id,
        scope=scope,
        before=before.mode or "",
        after=after.mode or "",
        percentage_before=before.percentage,
        percentage_after=after.percentage,
        without_check=without_check,
        reason=reason,
        changed_by=context.actor.label,
        changed_at=clock.now(),
    )
    place = {"scope": scope.value, "organization_id": str(organization_id) if organization_id else None}
    audit_append(
        context,
        events.BILLING_MODE_CHANGED,
        product.audit_target,
        before={**place, "billing_mode": before.mode, "percentage": before.percentage},
        after={**place, "billing_mode": after.mode, "percentage": after.percentage, "without_check": without_check},
        reason=reason,
    )


def _refused(field: str, sentence: str) -> UnprocessableError:
    return UnprocessableError(sentence, errors=[FieldError(field, "impossible_value", sentence)])
