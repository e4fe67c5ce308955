"""Who decides on credits, as it is set now; `tenants_billing_mode` answers the same for the hot path (spec 02)."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from apps.core.ids import ProductId
from apps.tenants.billing_modes import CheckFacts, Least, Mode, ModeFacts, mode_of
from apps.tenants.enums import BillingMode
from apps.tenants.models import BillingModeException, CutoverCheck, Product
from apps.tenants.shadow import shadow_figures_of


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


def latest_check_facts(product_id: ProductId) -> CheckFacts:
    """What the gate to central asks: the latest check, and what shadow mode shows now, with what is explained."""
    check, shadow = latest_check_of(product_id), shadow_figures_of(product_id)
    return CheckFacts(
        finished_at=check.finished_at if check else None,
        has_passed=check is not None and check.has_passed,
        days=shadow.days,
        compared=shadow.compared,
        agreed=shadow.agreed,
        unexplained_amounts=shadow.unexplained_amounts,
        least=Least(
            settings.CENTRAL_LEAST_DAYS,
            settings.CENTRAL_LEAST_DECISIONS,
            settings.CENTRAL_LEAST_AGREEMENT_PER_MILLE,
        ),
    )
