"""Who decides on credits, as it is set now; `tenants_billing_mode` answers the same for the hot path (spec 02)."""

from __future__ import annotations

from uuid import UUID

from apps.core.ids import ProductId
from apps.tenants.billing_modes import CheckFacts, Mode, ModeFacts, mode_of
from apps.tenants.enums import BillingMode
from apps.tenants.models import BillingModeException, CutoverCheck, Product


def billing_mode_of(product_id: ProductId, organization_id: UUID | None) -> Mode:
    """The mode of the organization with the product, and what it comes from; the product's own without one."""
    product = Product.objects.get(pk=product_id)
    exceptions = BillingModeException.objects.filter(product=product_id, organization=organization_id)
    own = exceptions.values_list("mode", flat=True).first() if organization_id is not None else None
    facts = ModeFacts(
        product=BillingMode(product.billing_mode),
        percentage=product.percentage,
        percentage_mode=BillingMode(product.percentage_mode) if product.percentage_mode else None,
        exception=BillingMode(own) if own else None,
    )
    return mode_of(facts, organization_id)


def latest_check_of(product_id: ProductId) -> CutoverCheck | None:
    return CutoverCheck.objects.filter(product=product_id).order_by("-finished_at").first()


def latest_check_facts(product_id: ProductId) -> CheckFacts | None:
    """What the gate to central asks of the latest check."""
    check = latest_check_of(product_id)
    if check is None:
        return None
    return CheckFacts(
        finished_at=check.finished_at,
        has_passed=check.has_passed,
        days=check.days,
        compared=check.compared,
        agreed=check.agreed,
        unexplained_amounts=check.unexplained_amounts,
    )
