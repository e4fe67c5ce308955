"""Writes the revenue of a day down, once: a row an organization and currency, and their sums (spec 07, Revenue)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.core.pieces import in_pieces
from apps.reporting.models import OrganizationRevenue, RevenueDay, RevenueTotal
from apps.reporting.rules.revenue import Movement, movement_of
from apps.reporting.selectors.revenue import Key, have_paid, last_day, present_revenue, revenue_before
from apps.tenants.models import Organization

_LIST, _NAMED = 500, 50


def revenue_write(context: ExecutionContext) -> date | None:
    """Write down the day (UTC) that ended last, as it is now; None where that was done before.

    A provider tells no more than what is now, so that a day that was missed stays missing: the next one's movement is
    against the last that was written down, and adds up over both.
    """
    require(context, "jobs.refresh_figures")
    day = clock.now().astimezone(UTC).date() - timedelta(days=1)
    with transaction.atomic():
        lock_name("reporting.revenue")
        last = last_day()
        if last is not None and last.day >= day:
            return None
        row = RevenueDay.objects.create(day=day, previous=last.day if last else None, taken_at=clock.now())
        totals: dict[str, RevenueTotal] = {}
        for organization_ids in _lists():
            for figures in _write_list(row, organization_ids):
                _add(totals, row, figures)
        RevenueTotal.objects.bulk_create(totals.values())
        row.save(update_fields=["gap_count", "gaps"])
    return day


def _lists() -> Iterator[list[UUID]]:
    """The customers: neither demos nor what a cutover check has made."""
    piece: list[UUID] = []
    for organization in in_pieces(Organization.objects.filter(is_demo=False, is_synthetic=False).only("pk")):
        piece.append(organization.pk)
        if len(piece) == _LIST:
            yield piece
            piece = []
    if piece:
        yield piece


def _write_list(row: RevenueDay, organization_ids: list[UUID]) -> list[OrganizationRevenue]:
    present = present_revenue(organization_ids, row.taken_at)
    row.gap_count += len(present.gaps)
    row.gaps += [
        {"organization": str(gap.organization_id), "record": gap.record, "reasons": gap.reasons}
        for gap in present.gaps[: max(_NAMED - len(row.gaps), 0)]
    ]
    before = revenue_before(organization_ids, row.previous)
    keys = sorted({*present.mrr, *present.delinquent, *before})
    began = {key for key in keys if present.mrr.get(key) and key not in before}
    paid_before = have_paid(began, row.day)
    rows = [
        OrganizationRevenue(
            day=row,
            organization_id=key[0],
            currency=key[1],
            mrr_minor=present.mrr.get(key, 0),
            before_minor=before.get(key, 0),
            movement=_movement(key, before, present.mrr, paid_before),
            delinquent_minor=present.delinquent.get(key, 0),
            at_risk_minor=present.mrr.get(key, 0) if key[0] in present.in_grace else 0,
        )
        for key in keys
    ]
    return OrganizationRevenue.objects.bulk_create(rows)


def _movement(key: Key, before: dict[Key, int], now: dict[Key, int], paid_before: set[Key]) -> str:
    found = movement_of(before.get(key, 0), now.get(key, 0), has_paid_before=key in paid_before)
    return found.value if found else ""


def _add(totals: dict[str, RevenueTotal], day: RevenueDay, row: OrganizationRevenue) -> None:
    total = totals.setdefault(
        row.currency, RevenueTotal(day=day, currency=row.currency, mrr_minor=0, before_minor=0, organizations=0)
    )
    change: dict[str, int] = defaultdict(int, {row.movement: row.mrr_minor - row.before_minor})
    total.mrr_minor += row.mrr_minor
    total.before_minor += row.before_minor
    total.new_minor += change[Movement.NEW]
    total.reactivation_minor += change[Movement.REACTIVATION]
    total.expansion_minor += change[Movement.EXPANSION]
    total.contraction_minor += change[Movement.CONTRACTION]
    total.churn_minor += change[Movement.CHURN]
    total.delinquent_minor += row.delinquent_minor
    total.at_risk_minor += row.at_risk_minor
    total.organizations += row.mrr_minor > 0
