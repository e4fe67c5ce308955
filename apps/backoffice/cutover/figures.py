"""What a product's real data say before a cutover: members, prices, accounts, and what shadow mode has shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from apps.core.ids import ProductId
from apps.credits.models import CreditAccount, ShadowDisagreement
from apps.credits.selectors.policies import terms_in_force
from apps.tenants.billing_modes import ShadowFigures
from apps.tenants.models import MembershipDrift, Product, ProductRelation
from apps.tenants.selectors.reconciliation import last_complete_run
from apps.tenants.services.cutover import CheckLine

WINDOW = timedelta(days=14)
FRESH = timedelta(days=2)


def data_lines(product: Product, shadow: ShadowFigures | None, now: datetime) -> Iterator[CheckLine]:
    """The lines about the product's data; without figures those alone that don't rest on shadow mode's."""
    yield _members(product, now)
    yield _prices(product, now)
    yield _accounts(product)
    if shadow is not None:
        yield _agreement(shadow)


def _members(product: Product, now: datetime) -> CheckLine:
    name = "No difference in members"
    last = last_complete_run(ProductId(product.pk))
    if last is None:
        how = (
            "Reconcile its members on the product's page."
            if product.membership_export_url
            else "Set its membership export on the product's page, or have it push a snapshot."
        )
        return CheckLine(
            name, "failed", f"{product.name} never reported its members as a whole: people whom we don't have would be "
            f"refused with 403 not_a_member. {how}"
        )  # fmt: skip
    if last.created_at < now - FRESH:
        return CheckLine(name, "failed", f"Its members were last reconciled on {last.created_at:%Y-%m-%d}.")
    left_out = {"organization__is_synthetic": True}
    open_drift = MembershipDrift.objects.filter(product=product, resolution="").exclude(**left_out).count()
    if open_drift:
        return CheckLine(name, "failed", f"{open_drift:,} open differences; see Membership drift of {product.name}.")
    return CheckLine(name, "passed", f"{last.received:,} members agree.")


def _prices(product: Product, now: datetime) -> CheckLine:
    name = "A price for each operation seen"
    seen = set(
        ShadowDisagreement.objects.filter(product=product, seen_at__gte=now - WINDOW).values_list(
            "operation", flat=True
        )
    )
    terms = terms_in_force(product.pk, now)
    if terms is None:
        return CheckLine(name, "failed", "No policy is published.")
    missing = sorted(seen - set(terms.prices))
    if missing:
        return CheckLine(name, "failed", f"No price for {', '.join(missing[:10])}.")
    return CheckLine(name, "passed", f"Policy version {terms.version} has {len(terms.prices)} operations.")


def _accounts(product: Product) -> CheckLine:
    name = "An account for each organization"
    related = ProductRelation.objects.filter(product=product, organization__is_synthetic=False)
    counted = related.annotate(
        has_account=Exists(CreditAccount.objects.filter(organization=OuterRef("organization_id")))
    ).aggregate(all=Count("pk"), without=Count("pk", filter=Q(has_account=False)))
    if not counted["all"]:
        return CheckLine(name, "nothing", "The product has access to no organization.")
    if counted["without"]:
        return CheckLine(name, "failed", f"{counted['without']:,} of {counted['all']:,} have none.")
    return CheckLine(name, "passed", f"{counted['all']:,} organizations.")


def _agreement(shadow: ShadowFigures) -> CheckLine:
    name = "Shadow decisions"
    if not shadow.compared:
        return CheckLine(name, "nothing", "Nothing was compared in 14 days: send local_decision with each authorize.")
    agreed = f"{shadow.agreed:,} of {shadow.compared:,} agree, on {shadow.days} days"
    return CheckLine(name, "passed", f"{agreed}; {shadow.unexplained_amounts:,} differences in money.")
