"""What organizations pay a month now, and what was written down of earlier days (spec 07, Revenue)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from django.db.models import Q

from apps.payments.models import ProviderSubscription
from apps.payments.pricing import pricing_of
from apps.payments.status_sync import invoices_against
from apps.reporting.models import OrganizationRevenue, RevenueDay, RevenueTotal
from apps.reporting.rules.revenue import COUNTED, monthly_price, monthly_revenue
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.selectors.filters import has_grace_period, is_sold_by_staff

Key = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class GapOfSubscription:
    """A subscription whose figure may not be what the customer pays, and why."""

    organization_id: UUID
    record: str
    reasons: str


@dataclass(slots=True)
class Present:
    """What some organizations pay now, by organization and currency in minor units; and whose figure may be wrong."""

    mrr: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    delinquent: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    in_grace: frozenset[UUID] = frozenset()
    gaps: list[GapOfSubscription] = field(default_factory=list)


def counted_subscriptions(organization_ids: Collection[UUID]) -> list[tuple[UUID, ProviderSubscription]]:
    """The mirrored subscriptions that count, each with whose it is: active or past due, and not paused."""
    rows = ProviderSubscription.objects.filter(
        organization__in=organization_ids, status__in=[status.value for status in COUNTED], pause_behavior=""
    )
    found = rows.only("provider", "external_id", "organization_id", "workspace_id", "pricing")
    return [(row.organization_id, row) for row in found if row.organization_id is not None]


def present_revenue(organization_ids: Collection[UUID], at: datetime) -> Present:
    """What these organizations pay now; a contract of staff counts unless the provider sells the workspace too."""
    found, rows = Present(), counted_subscriptions(organization_ids)
    for organization_id, row in rows:
        monthly = monthly_revenue(pricing_of(row.pricing), at)
        if monthly.gaps:
            reasons = "; ".join(gap.label for gap in monthly.gaps)
            found.gaps.append(GapOfSubscription(organization_id, f"{row.provider}:{row.external_id}", reasons))
        for currency, minor in monthly.minor.items():
            found.mrr[organization_id, currency] += minor
    sold = {row.workspace_id for _, row in rows} - {None}
    names = {(row.provider, row.external_id) for _, row in rows}
    contracts = WorkspaceSubscription.objects.filter(is_sold_by_staff(), workspace__organization__in=organization_ids)
    for record in contracts.select_related("plan", "workspace"):
        is_sold_too = record.workspace_id in sold or (record.provider, record.provider_subscription_id) in names
        price = 0 if is_sold_too else monthly_price(record.plan.price_minor, record.plan.interval)
        if price:
            found.mrr[record.workspace.organization_id, record.plan.currency] += price
    for invoice in (
        invoices_against(organization_ids)
        .exclude(currency="")
        .only("organization_id", "currency", "amount_remaining_minor")
    ):
        if invoice.amount_remaining_minor > 0 and invoice.organization_id is not None:
            found.delinquent[invoice.organization_id, invoice.currency] += invoice.amount_remaining_minor
    grace = OrganizationPaymentConfig.objects.filter(has_grace_period(), organization__in=organization_ids)
    found.in_grace = frozenset(grace.values_list("organization_id", flat=True))
    return found


def revenue_before(organization_ids: Collection[UUID], day: date | None) -> dict[Key, int]:
    """What these organizations paid on that day."""
    rows = OrganizationRevenue.objects.filter(day=day, organization__in=organization_ids, mrr_minor__gt=0)
    return {(row.organization_id, row.currency): row.mrr_minor for row in rows} if day else {}


def have_paid(keys: Collection[Key], before: date) -> set[Key]:
    """Those that have paid in the currency on any earlier day."""
    if not keys:
        return set()
    rows = OrganizationRevenue.objects.filter(
        organization__in={organization_id for organization_id, _ in keys}, mrr_minor__gt=0, day__lt=before
    )
    return set(rows.values_list("organization_id", "currency").distinct()) & set(keys)


def last_day(before: date | None = None) -> RevenueDay | None:
    """The last day that was written down, or the last before that one."""
    days = RevenueDay.objects.order_by("-day")
    return (days if before is None else days.filter(day__lt=before)).first()


def totals_of(first: date, last: date) -> list[RevenueTotal]:
    """The platform's totals of these days, both included, by currency and day."""
    rows = RevenueTotal.objects.filter(day__gte=first, day__lte=last)
    return list(rows.order_by("currency", "day"))


def by_currency(totals: Sequence[RevenueTotal]) -> Mapping[str, list[RevenueTotal]]:
    """The totals of each currency; the currency with the most revenue first."""
    found: dict[str, list[RevenueTotal]] = {}
    for total in totals:
        found.setdefault(total.currency, []).append(total)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1][-1].mrr_minor, pair[0])))


def moved_on(day: date, *, at_most: int) -> list[OrganizationRevenue]:
    """The organizations whose revenue moved on the day, the largest change first within its kind."""
    rows = OrganizationRevenue.objects.filter(~Q(movement=""), day=day).select_related("organization")
    return list(rows.order_by("movement", "-mrr_minor", "pk")[:at_most])
