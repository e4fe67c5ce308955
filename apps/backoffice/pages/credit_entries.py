"""Credit entries, the grants that paid for each, and the reversal of a charge (spec 05)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.contrib.admin import display
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, link, moment, page_url_of
from apps.backoffice.credits.verbs import ENTRY_VERBS
from apps.backoffice.filters import choice_filter, days_filter, of_customers, organization_filter, text_filter
from apps.backoffice.pages.expire_on_read import ExpireOnReadAdmin
from apps.backoffice.pages.lookups import link_to, product_choices
from apps.backoffice.paginator import BoundedPaginator, RecentPaginator
from apps.backoffice.panels import Fact, Panel, Row
from apps.backoffice.records.credits import (
    account_link,
    amount_cell,
    entry_link,
    format_credits,
    grant_link,
    kind_badge,
)
from apps.backoffice.records.entries import describe_entry, names_of_entries, when_it_was, why_free
from apps.core import clock
from apps.core.enums import UsageCategory
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry, GrantBurn, Hold
from apps.credits.selectors.ledger import left_to_reverse
from apps.tenants.models import Product, User, Workspace

LOOKED_BACK = timedelta(hours=24)
_MOST_REVERSALS = 20
_USES = frozenset({EntryKind.CONSUMPTION, EntryKind.CAPTURE})


class CreditEntryAdmin(ExpireOnReadAdmin[CreditEntry]):
    """A large table: without a chosen organization the list shows the last day."""

    operation = "credits.read"
    is_history = True
    icon = "receipt_long"
    heading = "Credit entries"
    about = "All credit entries. Showing the last 24 hours; choose an organization to see everything."
    list_display = ("when", "what", "kind_cell", "amount_cell", "balance", "tenant")
    listed = of_customers("account_id")
    list_filter = (
        organization_filter("account_id"),
        choice_filter("kind", "kind", lambda: EntryKind.choices),
        choice_filter("product", "product", product_choices, field="product_id"),
        text_filter("operation", "operation", hint="fix_run"),
        choice_filter("category", "usage category", lambda: UsageCategory.choices),
        days_filter("recorded_at", "recorded"),
    )
    search_ids = ("pk",)
    search_help_text = "Id of an entry"
    verbs = ENTRY_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditEntry]:
        entries = super().get_queryset(request).select_related("account__organization", "grant")
        asks_for_more = {"organization", "q", "recorded_at_from", "recorded_at_until"} & set(request.GET)
        is_list = getattr(request.resolver_match, "url_name", "") == f"{self.route_prefix}_changelist"
        if is_list and not any(request.GET.get(name) for name in asks_for_more):
            return entries.filter(recorded_at__gte=clock.now() - LOOKED_BACK)
        return entries

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # One account's lines lie in an index by their place; all accounts' are a day's, by their moment.
        return ("-sequence",) if request.GET.get("organization") else ("-recorded_at",)

    def get_paginator(self, request: HttpRequest, *args: Any, **options: Any) -> Paginator[Any]:
        days = request.GET.get("recorded_at_from") or request.GET.get("recorded_at_until")
        is_ordered = any(request.GET.get(name) for name in ("organization", "q"))
        chosen = RecentPaginator if days and not is_ordered else BoundedPaginator
        return cast("Paginator[Any]", chosen(*args, **options))

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Read the names of all rows at once."""
        names = names_of_entries(rows)
        for row in rows:
            row.names = names
        return rows

    @display(description="When")
    def when(self, record: CreditEntry) -> SafeString:
        return when_it_was(record)

    @display(description="What")
    def what(self, record: Any) -> SafeString:
        return describe_entry(record, record.names)

    @display(description="Kind")
    def kind_cell(self, record: CreditEntry) -> SafeString:
        return kind_badge(record)

    @display(description="Amount")
    def amount_cell(self, record: CreditEntry) -> SafeString:
        return amount_cell(record.amount)

    @display(description="Balance after")
    def balance(self, record: CreditEntry) -> str:
        return format_credits(record.balance_after)

    @display(description="Organization")
    def tenant(self, record: CreditEntry) -> SafeString:
        return account_link(record.account_id, record.account.organization.name)

    def title_of(self, record: CreditEntry) -> str:
        return f"{record.get_kind_display()} of {format_credits(abs(record.amount))}"

    def badges(self, record: CreditEntry) -> list[Any]:
        shown = [kind_badge(record)]
        if record.reversals.exists():
            shown.append(badge("Reversed in part" if any(left_to_reverse(record)) else "Reversed", "info"))
        if record.is_late:
            shown.append(badge("Reported late", "warn"))
        return shown

    def facts(self, record: CreditEntry) -> list[Fact]:
        return [
            Fact("Amount", amount_cell(record.amount), why_free(record) if _is_free_use(record) else ""),
            Fact("Balance after", format_credits(record.balance_after)),
            Fact("Organization", self.tenant(record), f"Line {record.sequence:,} of its account."),
            *_product_facts(record),
            *(_usage_facts(record) if record.kind in _USES else []),
            Fact("Recorded", moment(record.recorded_at)),
            Fact("Happened", moment(record.occurred_at)),
            Fact("By", record.actor_label),
            Fact("Reason", record.reason or NOTHING),
            Fact("Idempotency key", code(record.idempotency_key)),
            Fact("Request", code(record.request_id)),
            Fact("Id", code(record.pk)),
            *_links(record),
        ]

    def panels(self, request: HttpRequest, record: CreditEntry) -> list[Panel]:
        burns = GrantBurn.objects.filter(entry=record).select_related("grant").order_by("pk")[:50]
        rows: list[Row] = [
            (grant_link(burn.grant), format_credits(abs(burn.amount)), format_credits(burn.grant.remaining))
            for burn in burns
        ]
        is_given = record.kind == EntryKind.REVERSAL
        title = "Grants that got it back" if is_given else "Grants that paid for it"
        empty = "No grant has paid for it yet." if record.amount < 0 else "Nothing was charged."
        debt = getattr(record, "uncovered", None) if record.amount < 0 else None
        if debt is not None and debt.amount_left:
            rows.append(("Not paid by any grant yet", format_credits(debt.amount_left), NOTHING))
        return [Panel(title, ("Grant", "Amount", "Left now"), rows, empty=empty, icon="savings")]


def _is_free_use(record: CreditEntry) -> bool:
    return record.amount == 0 and bool(record.operation)


def _product_facts(record: CreditEntry) -> list[Fact]:
    product = Product.objects.filter(pk=record.product_id).first() if record.product_id else None
    shown = [Fact("Product", link(page_url_of(Product, product.pk), product.name))] if product else []
    return [*shown, Fact("Operation", code(record.operation))] if record.operation else shown


def _usage_facts(record: CreditEntry) -> list[Fact]:
    return [
        Fact("Quantity", format_credits(record.quantity), f"{format_credits(record.free_quantity)} of it free."),
        Fact("Outcome", record.outcome or NOTHING, "Billable." if record.is_billable else "Not billable."),
        Fact("Counts as", record.get_category_display() if record.category else NOTHING),
        *_local_facts(record),
        Fact("Policy version", str(record.policy_version) if record.policy_version else NOTHING),
    ]


def _local_facts(record: CreditEntry) -> list[Fact]:
    if record.local_charge is None or record.shadow_charge is None:
        return []
    ours = f"We would have charged {format_credits(record.shadow_charge)}."
    return [Fact("Charged by the product", format_credits(record.local_charge), ours)]


def _links(record: CreditEntry) -> list[Fact]:
    shown = []
    for label, model, key in (
        ("Workspace", Workspace, record.workspace_id),
        ("Acting user", User, record.acting_user_id),
        ("Hold", Hold, record.hold_id),
    ):
        if key:
            shown.append(Fact(label, link_to(model, key)))
    if record.run_id:
        shown.append(Fact("Run", code(record.run_id)))
    if record.grant is not None:
        shown.append(Fact("Grant", grant_link(record.grant)))
    if record.reversal_of_id:
        shown.append(Fact("Reverses", link(page_url_of(CreditEntry, record.reversal_of_id), "The charge")))
    shown.extend(
        Fact("Reversed by", entry_link(reversal), f"{format_credits(reversal.amount)} given back.")
        for reversal in record.reversals.order_by("sequence")[:_MOST_REVERSALS]
    )
    return shown
