"""The Credits page of a workspace's organization, and its entries as CSV (spec 08, Billing pages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse

from apps.core import clock
from apps.core.amounts import format_micro, round_to_quantum, show_column, show_micro
from apps.core.exports import csv_lines, harmless, sheet_time
from apps.core.moments import zone_of
from apps.credits.chart import draw_charts
from apps.credits.entry_days import statement_of
from apps.credits.forms import EntryFilterForm, FilterNames
from apps.credits.messages import Names, RefusalLine, describe_entries, describe_refusal, grant_name
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
    operation_units,
    people_names,
    product_names,
    refused_lately,
    used_products,
    workspace_names,
)
from apps.credits.services import account_apply_due
from apps.subscriptions.messages import day, days_from
from apps.tenants.pages import BillingPage

PAGE_SIZE = 50
# A pace is an estimate: more than two places would only pretend.
_SHOWN_PACE = 10_000
_MOST_LAPSES = 5
_MOST_REFUSALS = 10
_NAMED_AT_ONCE = 1_000
EXPORT_COLUMNS = (
    *("number", "recorded_at", "occurred_at", "time_zone", "kind", "product", "operation", "quantity", "unit"),
    *("free_quantity", "outcome", "category", "amount", "balance_after", "acting_user", "acting_user_id"),
    *("workspace", "workspace_id", "run_id", "late", "policy_version", "idempotency_key", "entry_id"),
)


class _Credits(BillingPage):
    """What the page and its file have in common."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    page = "credits"

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.workspace.organization.time_zone)

    @cached_property
    def products(self) -> Mapping[UUID, str]:
        """The names of all products."""
        return product_names()

    @cached_property
    def workspaces(self) -> Mapping[UUID, str]:
        """The names of the organization's workspaces."""
        return workspace_names(self.organization_id)

    @cached_property
    def used_products(self) -> frozenset[UUID]:
        """The products that the organization uses."""
        return frozenset(used_products(self.organization_id))

    def read_form(self, data: QueryDict | None) -> EntryFilterForm:
        """The filter of the address."""
        used = frozenset(map(str, self.used_products))
        return EntryFilterForm(data, names=FilterNames(self.products, used, self.workspaces), zone=self.zone)

    def names_of(self, entries: Sequence[CreditEntry]) -> Names:
        """What the ids in these entries are called."""
        asked = {entry.product_id for entry in entries if entry.product_id}
        return Names(
            self.products,
            people_names(self.organization_id, (entry.acting_user_id for entry in entries)),
            self.zone,
            operation_units(asked, clock.now()),
            self.workspaces,
        )


class CreditsPage(_Credits):
    """Balance, pace, grants and entries. Whatever has come due is done before anything is shown."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; a filter that can't be comes back with a sentence and all entries of its other fields."""
        account_apply_due(self.execution_context, account_id=self.organization_id)
        account = account_of(self.organization_id)
        form = self.read_form(request.GET or None)
        is_bad = form.is_bound and not form.is_valid()
        facts = {"account": account, "form": form, "is_filtered": bool(form.changed_data), "query": _query(request)}
        if account is not None:
            wanted = form.wanted() if form.is_bound and not is_bad else EntryFilter()
            facts |= self._facts(account) | self._entries(account, wanted) | {"refusals": self._refusals()}
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_bad else HTTPStatus.OK
        return self.render("credits/credits.html", facts, title="Credits", status=status)

    def _facts(self, account: CreditAccount) -> dict[str, Any]:
        now = clock.now()
        days = days_of_burn(account.pk, now=now, zone=self.zone, days=WINDOW_DAYS)
        available = account.balance - account.held + account.overdraft_limit
        told = forecast_of(account, now=now, zone=self.zone, days=days)
        grants = grants_with_rest(account.pk, now)
        return {
            **self._balance(account, available),
            "is_low": available <= 0,
            "forecast": told,
            "pace": show_micro(round_to_quantum(told.a_day, 1, _SHOWN_PACE)),
            "runs_out_on": self._runs_out_on(told),
            "lapses": self._lapses(told, grants),
            "charts": draw_charts(days, self.products),
            "grants": self._grants(grants),
        }

    def _runs_out_on(self, told: Forecast) -> str:
        # A day beyond a year would only pretend to know.
        if told.days is None or told.days > 365:  # noqa: PLR2004
            return ""
        return day(clock.now() + timedelta(days=told.days), self.zone)

    def _lapses(self, told: Forecast, grants: Sequence[CreditGrant]) -> list[str]:
        """What will end unused at this pace, the soonest first."""
        named = {grant.pk: grant for grant in grants}
        shown = told.lapses[:_MOST_LAPSES]
        return [
            f"{show_micro(round_to_quantum(lapse.amount, 1, _SHOWN_PACE))} credits of "
            f"{grant_name(named[lapse.grant_id], self.zone)}, on {day(lapse.at, self.zone)}"
            for lapse in shown
        ]

    def _refusals(self) -> list[RefusalLine]:
        """What was refused lately, in words."""
        found = refused_lately(self.organization_id, clock.now(), most=_MOST_REFUSALS)
        if not found:
            return []
        asked = [UUID(receipt.question["product_id"]) for receipt in found if receipt.question.get("product_id")]
        users = [UUID(receipt.question["user_id"]) for receipt in found if receipt.question.get("user_id")]
        people, units = people_names(self.organization_id, users), operation_units(asked, clock.now())
        names = Names(self.products, people, self.zone, units, self.workspaces)
        return [describe_refusal(receipt, names) for receipt in found]

    @staticmethod
    def _balance(account: CreditAccount, available: int) -> dict[str, str]:
        """The figures of the account, and how the first of them comes about."""
        parts = [f"balance {show_micro(account.balance)}"]
        parts += [f"− held {show_micro(account.held)}"] if account.held else []  # noqa: RUF001 - the sign of minus
        parts += [f"+ overdraft {show_micro(account.overdraft_limit)}"] if account.overdraft_limit else []
        return {
            "balance": show_micro(account.balance),
            "held": show_micro(account.held),
            "available": show_micro(available),
            "overdraft": show_micro(account.overdraft_limit) if account.overdraft_limit else "",
            "sum": f"{show_micro(available)} = {' '.join(parts)}" if len(parts) > 1 else "",
        }

    def _grants(self, grants: Sequence[CreditGrant]) -> list[dict[str, Any]]:
        now = clock.now()
        waiting = [grant.effective_at > now and not grant.is_posted for grant in grants]
        left = [grant.amount if waits else grant.remaining for grant, waits in zip(grants, waiting, strict=True)]
        rows = zip(grants, waiting, left, show_column(left), strict=True)
        return [self._grant(grant, now, waits, rest, shown) for grant, waits, rest, shown in rows]

    def _grant(self, grant: CreditGrant, now: datetime, waits: bool, rest: int, shown: str) -> dict[str, Any]:
        zone, ends = self.zone, grant.expires_at
        return {
            "kind": grant.get_grant_type_display(),
            "since": day(grant.effective_at, zone),
            "begins": days_from(now, grant.effective_at, zone) if waits else "",
            "left": shown,
            "of": show_micro(grant.amount),
            "share": rest * 100 // grant.amount,
            "ends_on": day(ends, zone) if ends else "",
            "ends_in": days_from(now, ends, zone) if ends else "",
        }

    def _entries(self, account: CreditAccount, wanted: EntryFilter) -> dict[str, Any]:
        before = self.request.GET.get("before", "")
        place = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None  # noqa: PLR2004
        page = entry_page(account.pk, wanted, before=place, size=PAGE_SIZE)
        lines = describe_entries(page.entries, self.names_of(page.entries))
        return {
            "lines": lines,
            "statement": statement_of(account.pk, wanted, lines, self.products, self.zone),
            "older_than": page.older_than,
            "is_later_page": place is not None,
        }


class CreditsExport(_Credits):
    """The entries of the filter as CSV, streamed."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse | StreamingHttpResponse:
        """200 with the file; a filter that can't be is answered by the page that explains it."""
        account_apply_due(self.execution_context, account_id=self.organization_id)
        form = self.read_form(request.GET)
        if not form.is_valid():
            facts = {"account": None, "form": form, "is_filtered": True, "query": _query(request)}
            return self.render("credits/credits.html", facts, title="Credits", status=HTTPStatus.UNPROCESSABLE_ENTITY)
        name = f"credits-{workspace_slug}-{clock.now().astimezone(self.zone):%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(EXPORT_COLUMNS, self._rows(all_entries(self.organization_id, form.wanted()))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _rows(self, entries: Iterator[CreditEntry]) -> Iterator[Sequence[object]]:
        units = operation_units(self.products, clock.now())
        people: dict[UUID, str] = {}
        zone = self.workspace.organization.time_zone
        # itertools.batched begins with Python 3.12.
        while part := list(islice(entries, _NAMED_AT_ONCE)):
            new = {entry.acting_user_id for entry in part} - people.keys()
            people |= people_names(self.organization_id, new)
            names = Names(self.products, people, self.zone, units, self.workspaces)
            for entry in part:
                yield _cells(entry, names, zone)


def _cells(entry: CreditEntry, names: Names, zone: str) -> Sequence[object]:
    return (
        *(entry.sequence, sheet_time(entry.recorded_at, names.zone), sheet_time(entry.occurred_at, names.zone), zone),
        *(entry.kind, harmless(names.products.get(entry.product_id, "")), harmless(entry.operation)),
        *(format_micro(entry.quantity), harmless(names.units.get((entry.product_id, entry.operation), ""))),
        *(format_micro(entry.free_quantity), harmless(entry.outcome), entry.category),
        *(format_micro(entry.amount), format_micro(entry.balance_after)),
        *(harmless(names.people.get(entry.acting_user_id, "")), entry.acting_user_id or ""),
        *(harmless(names.workspaces.get(entry.workspace_id, "")), entry.workspace_id or ""),
        *(harmless(entry.run_id), "yes" if entry.is_late else "no", entry.policy_version or ""),
        *(harmless(entry.idempotency_key), entry.pk),
    )


def _query(request: HttpRequest) -> str:
    """The filter of the address without the place, for the links to the next page and to the export."""
    kept = [(name, value) for name, value in request.GET.items() if name != "before" and value]
    return urlencode(kept)
