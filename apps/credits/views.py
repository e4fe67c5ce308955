"""The Credits page of a workspace's organization, and its entries as CSV (spec 08, Billing pages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.core import clock
from apps.core.amounts import format_micro, round_to_quantum
from apps.core.exports import csv_lines, harmless
from apps.core.ids import OrganizationId
from apps.core.moments import zone_of
from apps.core.wire.values import format_time
from apps.credits.chart import draw_charts
from apps.credits.forms import EntryFilterForm
from apps.credits.messages import EntryLine, Names, describe_entry, grant_name
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant
from apps.credits.rules.forecast import WINDOW_DAYS, Forecast
from apps.credits.selectors.burn import days_of_burn
from apps.credits.selectors.forecast import forecast_of
from apps.credits.selectors.ledger import account_of
from apps.credits.selectors.statement import (
    EntryFilter,
    all_entries,
    entry_page,
    grants_with_rest,
    people_names,
    product_names,
)
from apps.credits.services import account_apply_due
from apps.subscriptions.messages import day, days_from
from apps.tenants.pages import BillingPage

PAGE_SIZE = 25
# A pace is an estimate: more than two places would only pretend.
_SHOWN_PACE = 10_000
_MOST_LAPSES = 5
EXPORT_COLUMNS = (
    "place",
    "recorded_at",
    "occurred_at",
    "kind",
    "product",
    "operation",
    "quantity",
    "free_quantity",
    "outcome",
    "category",
    "amount",
    "balance_after",
    "acting_user_id",
    "workspace_id",
    "run_id",
    "late",
    "policy_version",
    "idempotency_key",
    "entry_id",
)


class CreditsPage(BillingPage):
    """Balance, pace, grants and entries. Whatever has come due is done before anything is shown."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    page = "credits"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; a filter that can't be comes back with a sentence and all entries of its other fields."""
        account_apply_due(self.execution_context, account_id=self.organization_id)
        account = account_of(self.organization_id)
        products = product_names()
        form = EntryFilterForm(request.GET or None, products=products, zone=self._zone)
        is_bad = form.is_bound and not form.is_valid()
        facts = {"account": account, "form": form, "is_filtered": bool(form.changed_data), "query": _query(request)}
        if account is not None:
            wanted = form.wanted() if form.is_bound and not is_bad else EntryFilter()
            facts |= self._facts(account, products) | self._entries(account, products, wanted)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_bad else HTTPStatus.OK
        return self.render("credits/credits.html", facts, title="Credits", status=status)

    @property
    def _zone(self) -> Any:
        return zone_of(self.workspace.organization.time_zone)

    def _facts(self, account: CreditAccount, products: Mapping[Any, str]) -> dict[str, Any]:
        now = clock.now()
        days = days_of_burn(account.pk, now=now, zone=self._zone, days=WINDOW_DAYS)
        available = account.balance - account.held + account.overdraft_limit
        told = forecast_of(account, now=now, zone=self._zone, days=days)
        grants = grants_with_rest(account.pk, now)
        return {
            "balance": format_micro(account.balance),
            "held": format_micro(account.held),
            "available": format_micro(available),
            "overdraft": format_micro(account.overdraft_limit) if account.overdraft_limit else "",
            "is_low": available <= 0,
            "forecast": told,
            "pace": format_micro(round_to_quantum(told.a_day, 1, _SHOWN_PACE)),
            "runs_out_on": self._runs_out_on(told),
            "lapses": self._lapses(told, grants),
            "charts": draw_charts(days, dict(products)),
            "grants": [self._grant(grant) for grant in grants],
        }

    def _runs_out_on(self, told: Forecast) -> str:
        # A day beyond a year would only pretend to know.
        if told.days is None or told.days > 365:  # noqa: PLR2004
            return ""
        return day(clock.now() + timedelta(days=told.days), self._zone)

    def _lapses(self, told: Forecast, grants: Sequence[CreditGrant]) -> list[str]:
        """What will end unused at this pace, the soonest first."""
        named = {grant.pk: grant for grant in grants}
        shown = told.lapses[:_MOST_LAPSES]
        return [
            f"{format_micro(round_to_quantum(lapse.amount, 1, _SHOWN_PACE))} credits of "
            f"{grant_name(named[lapse.grant_id], self._zone)}, on {day(lapse.at, self._zone)}"
            for lapse in shown
        ]

    def _grant(self, grant: CreditGrant) -> dict[str, Any]:
        now, zone = clock.now(), self._zone
        begins = grant.effective_at > now and not grant.is_posted
        ends = grant.expires_at
        return {
            "kind": grant.get_grant_type_display(),
            "since": day(grant.effective_at, zone),
            "begins": days_from(now, grant.effective_at, zone) if begins else "",
            "left": format_micro(grant.amount if begins else grant.remaining),
            "of": format_micro(grant.amount),
            "share": 100 if begins else grant.remaining * 100 // grant.amount,
            "ends_on": day(ends, zone) if ends else "",
            "ends_in": days_from(now, ends, zone) if ends else "",
        }

    def _entries(self, account: CreditAccount, products: Mapping[Any, str], wanted: EntryFilter) -> dict[str, Any]:
        before = self.request.GET.get("before", "")
        place = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None  # noqa: PLR2004
        page = entry_page(account.pk, wanted, before=place, size=PAGE_SIZE)
        return {
            "lines": _lines(self.organization_id, page.entries, products, self._zone),
            "older_than": page.older_than,
            "is_later_page": place is not None,
        }


class CreditsExport(BillingPage):
    """The entries of the filter as CSV, streamed."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    page = "credits"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse | StreamingHttpResponse:
        """200 with the file; a filter that can't be is answered by the page that explains it."""
        account_apply_due(self.execution_context, account_id=self.organization_id)
        products = product_names()
        zone = zone_of(self.workspace.organization.time_zone)
        form = EntryFilterForm(request.GET, products=products, zone=zone)
        if not form.is_valid():
            facts = {"account": None, "form": form, "is_filtered": True, "query": _query(request)}
            return self.render("credits/credits.html", facts, title="Credits", status=HTTPStatus.UNPROCESSABLE_ENTITY)
        rows = _rows(all_entries(self.organization_id, form.wanted()), products)
        name = f"credits-{workspace_slug}-{clock.now().astimezone(zone):%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(EXPORT_COLUMNS, rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _rows(entries: Iterator[CreditEntry], products: Mapping[Any, str]) -> Iterator[Sequence[object]]:
    for entry in entries:
        yield (
            entry.sequence,
            format_time(entry.recorded_at),
            format_time(entry.occurred_at),
            entry.kind,
            harmless(products.get(entry.product_id, "")),
            harmless(entry.operation),
            format_micro(entry.quantity),
            format_micro(entry.free_quantity),
            harmless(entry.outcome),
            entry.category,
            format_micro(entry.amount),
            format_micro(entry.balance_after),
            entry.acting_user_id or "",
            entry.workspace_id or "",
            harmless(entry.run_id),
            "yes" if entry.is_late else "no",
            entry.policy_version or "",
            harmless(entry.idempotency_key),
            entry.pk,
        )


def _lines(
    organization_id: OrganizationId, entries: Sequence[CreditEntry], products: Mapping[Any, str], zone: Any
) -> list[EntryLine]:
    names = Names(products, people_names(organization_id, (entry.acting_user_id for entry in entries)), zone)
    return [describe_entry(entry, names) for entry in entries]


def _query(request: HttpRequest) -> str:
    """The filter of the address without the place, for the links to the next page and to the export."""
    kept = [(name, value) for name, value in request.GET.items() if name != "before" and value]
    return urlencode(kept)
