"""Credit accounts, with the verbs that change them (spec 05)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, moment, title_and_slug
from apps.backoffice.credits.verbs import ACCOUNT_VERBS
from apps.backoffice.filters import flag_filter, organization_filter, within_days_filter
from apps.backoffice.list_files import FileColumns
from apps.backoffice.pages.expire_on_read import ExpireOnReadAdmin
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.credits import (
    account_facts,
    format_credits,
    grants_panel,
    holds_panel,
    uncovered_panel,
)
from apps.backoffice.records.entries import entries_panel
from apps.core.amounts import format_micro
from apps.credits.models import CreditAccount
from apps.reporting.models import AccountRunway

RUNS_OUT = "runs_out_within"


class CreditAccountAdmin(ExpireOnReadAdmin[CreditAccount]):
    """One account for each organization, created with it."""

    operation = "credits.read"
    icon = "account_balance_wallet"
    heading = "Credit accounts"
    about = (
        "One account for each organization. The balance is the sum of its entries. Available is the balance "
        "minus held credits, plus the overdraft limit. When the credits run out is computed hourly, by the pace of the "
        "last 30 days. Filter by it to see who is next."
    )
    ordering = ("organization__slug",)
    list_display = ("named", "available", "balance_cell", "held_cell", "overdraft", "runs_out", "attention")
    listed = Q(organization__is_synthetic=False)
    file_columns: ClassVar[FileColumns] = {
        "organization": lambda row: row.organization.name,
        "slug": lambda row: row.organization.slug,
        "available": lambda row: Decimal(format_micro(row.balance - row.held + row.overdraft_limit)),
        "balance": lambda row: Decimal(format_micro(row.balance)),
        "held": lambda row: Decimal(format_micro(row.held)),
        "overdraft limit": lambda row: Decimal(format_micro(row.overdraft_limit)),
        "runs out (UTC)": lambda row: row.runway.runs_out_at if hasattr(row, "runway") else None,
        "spent a day": lambda row: Decimal(format_micro(row.runway.a_day)) if hasattr(row, "runway") else "",
        "demo": lambda row: row.organization.is_demo,
        "organization id": lambda row: row.organization_id,
    }
    list_filter = (
        organization_filter("organization_id"),
        within_days_filter(
            RUNS_OUT, "runs out", "runway__runs_out_at", further=Q(organization__closed_at__isnull=True)
        ),
        flag_filter("negative", "below zero", Q(balance__lt=0)),
        flag_filter("exhausted", "nothing available", Q(balance__lte=F("held") - F("overdraft_limit"))),
        flag_filter("demo", "of a demo organization", Q(organization__is_demo=True)),
    )
    search_prefixes = ("organization__slug",)
    search_names = ("organization__name",)
    search_help_text = "Id, slug or beginning of the organization's name"
    verbs = ACCOUNT_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditAccount]:
        return super().get_queryset(request).select_related("organization", "runway")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The next to run out first, where they are asked for: one index serves the filter and its order."""
        return ("runway__runs_out_at",) if request.GET.get(RUNS_OUT, "").strip() else self.ordering

    @display(description="Organization")
    def named(self, record: CreditAccount) -> SafeString:
        return title_and_slug(record.organization.name, record.organization.slug)

    @display(description="Available")
    def available(self, record: CreditAccount) -> str:
        return format_credits(record.balance - record.held + record.overdraft_limit)

    @display(description="Balance")
    def balance_cell(self, record: CreditAccount) -> str:
        return format_credits(record.balance)

    @display(description="Held")
    def held_cell(self, record: CreditAccount) -> str:
        return format_credits(record.held)

    @display(description="Overdraft limit")
    def overdraft(self, record: CreditAccount) -> str:
        return format_credits(record.overdraft_limit)

    @display(description="Runs out")
    def runs_out(self, record: CreditAccount) -> SafeString:
        runway: AccountRunway | None = getattr(record, "runway", None)
        return NOTHING if runway is None else moment(runway.runs_out_at)

    @display(description="Standing")
    def attention(self, record: CreditAccount) -> SafeString:
        return SafeString(" ".join(self.badges(record)))

    def title_of(self, record: CreditAccount) -> str:
        return f"Credits of {record.organization.name}"

    def badges(self, record: CreditAccount) -> list[Any]:
        shown = [badge("Demo", "info")] if record.organization.is_demo else []
        if record.balance < 0:
            return [badge("Below zero", "bad"), *shown]
        if record.balance - record.held + record.overdraft_limit <= 0:
            return [badge("Nothing available", "warn"), *shown]
        return [badge("Can spend", "good"), *shown]

    def facts(self, record: CreditAccount) -> list[Fact]:
        return account_facts(record)

    def panels(self, request: HttpRequest, record: CreditAccount) -> list[Panel]:
        return [
            grants_panel(record.pk),
            entries_panel(record.pk),
            holds_panel(record.pk),
            *uncovered_panel(record.pk),
            *changes_of_target(request, "credit_account", record.pk),
        ]
