"""Reads what usage is to go to Orb, and what an entry comes to now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from apps.core.enums import UsageCategory
from apps.core.ids import OrganizationId
from apps.credits.enums import EntryKind
from apps.credits.models import CreditAccount, CreditEntry
from apps.credits.selectors.parts import entries_of_parts
from apps.payments.enums import UsageFaultKind
from apps.payments.models import UsageFault, UsagePeriod, UsagePosition, UsageReporting
from apps.payments.rules.usage import Part, ProductRule, Usage

# Neither demo organizations nor those of a check are anybody's customers.
_OF_CUSTOMERS = Q(
    account__organization__payment_config__orb_customer_id__isnull=False,
    account__organization__is_demo=False,
    account__organization__is_synthetic=False,
)
_CHARGES = frozenset({EntryKind.CONSUMPTION.value, EntryKind.CAPTURE.value})


@dataclass(frozen=True, slots=True)
class Given:
    """What was given back of a charge; `is_whole`: nothing of it stands any more."""

    amount: int
    is_whole: bool


def reporting_rules() -> dict[UUID, ProductRule]:
    """The products whose usage is reported; none while every switch is off."""
    rows = UsageReporting.objects.filter(reports_from__isnull=False).select_related("product")
    return {
        row.pk: ProductRule(row.product.slug, row.reports_from, row.includes_unpriced)
        for row in rows
        if row.reports_from is not None
    }


def reported_periods(product_ids: Iterable[UUID]) -> dict[UUID, list[ProductRule]]:
    """The times in which usage of these products was reported, the oldest first; the last goes on where one does."""
    wanted = set(product_ids)
    periods: dict[UUID, list[ProductRule]] = {product_id: [] for product_id in wanted}
    rows = UsagePeriod.objects.filter(product__in=wanted).select_related("product")
    for row in rows.order_by("product", "recorded_from"):
        rule = ProductRule(row.product.slug, row.recorded_from, row.includes_unpriced, reports_until=row.recorded_until)
        periods[row.product_id].append(rule)
    for product_id, running in reporting_rules().items():
        if product_id in wanted:
            periods[product_id].append(running)
    return periods


def months_untold(product_id: UUID, rule: ProductRule) -> list[tuple[datetime, int]]:
    """The months (UTC) in which usage of this rule occurred, with the number of charges; the oldest first."""
    rows = _untold(product_id, rule).annotate(month=TruncMonth("occurred_at", tzinfo=UTC)).values_list("month")
    return list(rows.annotate(Count("pk")).order_by("month"))


def parts_untold(product_id: UUID, rule: ProductRule) -> list[Part]:
    """The part of each account that holds all its usage of this rule, and other entries between."""
    rows = _untold(product_id, rule).values_list("account_id").annotate(Min("sequence"), Max("sequence"))
    return [Part(*row) for row in rows.order_by("account_id")]


def _untold(product_id: UUID, rule: ProductRule) -> QuerySet[CreditEntry]:
    found = CreditEntry.objects.filter(
        _OF_CUSTOMERS,
        product_id=product_id,
        kind__in=_CHARGES,
        is_billable=True,
        local_charge__isnull=True,
        quantity__gt=0,
        recorded_at__gte=rule.reports_from,
        recorded_at__lt=rule.reports_until,
    )
    if rule.occurred is not None:
        found = found.filter(occurred_at__gte=rule.occurred[0], occurred_at__lt=rule.occurred[1])
    return found if rule.includes_unpriced else found.filter(category=UsageCategory.REGULAR)


def parts_behind(organization_id: OrganizationId | None) -> list[Part]:
    """What Orb has not been told of, of the organizations that are its customers; small ones first, one part each.

    Reads positions and accounts, and no entry: its cost is that of the organizations, however old their ledgers are.
    Neither demo organizations nor those of a check are anybody's customers.
    """
    positions = UsagePosition.objects.filter(
        organization__credit_account__last_sequence__gt=F("last_sequence"),
        organization__payment_config__orb_customer_id__isnull=False,
        organization__is_demo=False,
        organization__is_synthetic=False,
    )
    if organization_id is not None:
        positions = positions.filter(pk=organization_id)
    found = positions.values_list("pk", "last_sequence", "organization__credit_account__last_sequence")
    parts = [Part(pk, told + 1, last) for pk, told, last in found]
    return sorted(parts, key=lambda part: (part.size, part.organization_id))


def new_accounts() -> list[UUID]:
    """The accounts without a position; they are of organizations that came after the first switch."""
    return list(CreditAccount.objects.filter(organization__usage_position=None).values_list("pk", flat=True))


def positions_for_update(organization_ids: Iterable[UUID]) -> dict[UUID, UsagePosition]:
    """The positions, locked in the order of their organizations until the transaction ends."""
    rows = UsagePosition.objects.select_for_update().filter(pk__in=list(organization_ids)).order_by("pk")
    return {row.pk: row for row in rows}


def entries_in(parts: Iterable[Part]) -> tuple[list[Usage], list[CreditEntry]]:
    """The charges of the parts, and the reversals."""
    entries = entries_of_parts([(part.organization_id, part.first, part.last) for part in parts])
    charges = [usage_of(entry) for entry in entries if entry.kind in _CHARGES]
    return charges, [entry for entry in entries if entry.kind == EntryKind.REVERSAL]


def usages(entry_ids: Iterable[UUID]) -> dict[UUID, Usage]:
    """Charges by their ids."""
    rows = CreditEntry.objects.filter(pk__in=list(entry_ids), kind__in=_CHARGES)
    return {row.pk: usage_of(row) for row in rows}


def usage_of(entry: CreditEntry) -> Usage:
    """A charge as usage; each is of a product."""
    if entry.product_id is None:
        raise ValueError(f"The entry {entry.pk} is of no product, and so no charge.")
    return Usage(
        entry_id=entry.pk,
        organization_id=entry.account_id,
        product_id=entry.product_id,
        workspace_id=entry.workspace_id,
        operation=entry.operation,
        category=entry.category,
        quantity=entry.quantity,
        free_quantity=entry.free_quantity,
        charged=-entry.amount,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        is_billable=entry.is_billable,
        is_charged_here=entry.local_charge is None,
    )


def given_back(charges: Iterable[Usage]) -> dict[UUID, Given]:
    """What was given back of each of these charges, in one statement; only of those of which something was."""
    charged = {usage.entry_id: usage.charged for usage in charges}
    sums = CreditEntry.objects.filter(reversal_of__in=list(charged)).values_list("reversal_of")
    return {entry_id: Given(amount, amount == charged[entry_id]) for entry_id, amount in sums.annotate(Sum("amount"))}


def absent_entries(entry_ids: Iterable[UUID]) -> set[UUID]:
    """Those that Orb does not have, by the difference report."""
    absent = UsageFault.objects.filter(kind__in=[UsageFaultKind.REFUSED, UsageFaultKind.MISSING])
    return set(absent.filter(pk__in=list(entry_ids)).values_list("pk", flat=True))
