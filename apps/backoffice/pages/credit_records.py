"""Grants, holds and uncovered charges, read only; the verbs are on the account's page (spec 05)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import display
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, Tone, badge, code, link, moment, page_url_of, record_link, title_and_slug
from apps.backoffice.credits.verbs import GRANT_VERBS
from apps.backoffice.filters import choice_filter, days_filter, flag_filter, of_customers, organization_filter
from apps.backoffice.pages.expire_on_read import ExpireOnReadAdmin, ExpireOnReadListAdmin
from apps.backoffice.pages.lookups import product_choices
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.credits import (
    account_link,
    entry_link,
    format_credits,
    grant_link,
    hold_badge,
    left_of,
)
from apps.backoffice.staff import context_of
from apps.backoffice.staff_admin import StaffAdmin
from apps.core import clock
from apps.credits.enums import GrantState, GrantType, HoldStatus
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, Hold, UncoveredCharge
from apps.credits.selectors.records import state_of
from apps.credits.services import accounts_burn
from apps.tenants.models import User, Workspace

MOST_BURNS = 25
_STATE_TONES: Mapping[GrantState, Tone] = {
    GrantState.UPCOMING: "info",
    GrantState.LIVE: "good",
    GrantState.EXPIRED: "warn",
    GrantState.VOIDED: "warn",
}


class CreditGrantAdmin(ExpireOnReadListAdmin[CreditGrant]):
    """Only the remaining amount of a grant changes."""

    operation = "credits.read"
    icon = "savings"
    heading = "Credit grants"
    about = (
        "Credits given to organizations. Used in this order: lowest priority number, earliest expiry, oldest. "
        "Only unused credits expire."
    )
    ordering = ("-created_at",)
    list_display = ("named", "left", "tenant", "priority", "expires", "granted")
    listed = of_customers("account_id")
    list_filter = (
        organization_filter("account_id"),
        choice_filter("grant_type", "kind", lambda: GrantType.choices),
        flag_filter("left", "something left", Q(is_spent=False)),
        days_filter("created_at", "granted"),
        days_filter("expires_at", "expires"),
    )
    search_help_text = "Id of a grant"
    verbs = GRANT_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditGrant]:
        return super().get_queryset(request).select_related("account__organization")

    @display(description="Grant")
    def named(self, record: CreditGrant) -> SafeString:
        return title_and_slug(f"{record.get_grant_type_display()}, {format_credits(record.amount)}", record.note[:80])

    @display(description="Left")
    def left(self, record: CreditGrant) -> SafeString:
        return left_of(record)

    @display(description="Organization")
    def tenant(self, record: CreditGrant) -> SafeString:
        return account_link(record.account_id, record.account.organization.name)

    @display(description="Expires")
    def expires(self, record: CreditGrant) -> SafeString | str:
        return moment(record.expires_at) if record.expires_at else "Never"

    @display(description="Granted")
    def granted(self, record: CreditGrant) -> SafeString:
        return moment(record.created_at)

    def title_of(self, record: CreditGrant) -> str:
        return f"{record.get_grant_type_display()} grant of {format_credits(record.amount)}"

    def badges(self, record: CreditGrant) -> list[Any]:
        state = state_of(record, clock.now())
        return [badge(state.label, _STATE_TONES.get(state, "neutral"))]

    def facts(self, record: CreditGrant) -> list[Fact]:
        return [
            Fact("Left", left_of(record)),
            Fact("Organization", self.tenant(record)),
            Fact("Order of use", f"Priority {record.priority}", _place(record)),
            Fact("Counts from", moment(record.effective_at)),
            Fact("Expires", self.expires(record)),
            *([Fact("Voided", moment(record.voided_at))] if record.voided_at else []),
            Fact("Granted by", record.granted_by),
            Fact("Granted", self.granted(record)),
            Fact("Note", record.note or NOTHING),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: CreditGrant) -> list[Panel]:
        burns = GrantBurn.objects.filter(grant=record).select_related("entry").order_by("-pk")[: MOST_BURNS + 1]
        rows = [
            (
                entry_link(burn.entry),
                burn.entry.operation or burn.entry.get_kind_display(),
                format_credits(-burn.amount),
                moment(burn.entry.recorded_at),
            )
            for burn in burns
        ]
        empty = "Not used yet."
        title = (
            "Charges paid, and credits returned" if len(rows) <= MOST_BURNS else f"The last {MOST_BURNS} charges paid"
        )
        return [Panel(title, ("Entry", "What", "Amount", "When"), rows[:MOST_BURNS], empty=empty, icon="receipt_long")]


def _place(grant: CreditGrant) -> str:
    """Say how many active grants are used before this one."""
    if not grant.remaining:
        return "Nothing left."
    sooner = Q(expires_at__lt=grant.expires_at) if grant.expires_at else Q(expires_at__isnull=False)
    same = Q(expires_at=grant.expires_at) if grant.expires_at else Q(expires_at__isnull=True)
    before = Q(priority__lt=grant.priority) | Q(priority=grant.priority) & (
        sooner | same & Q(created_at__lt=grant.created_at)
    )
    live = CreditGrant.objects.filter(account_id=grant.account_id, is_spent=False)
    count = live.filter(before).count()
    return "Used next." if not count else f"After {count} other{'s' if count > 1 else ''}."


class HoldAdmin(StaffAdmin[Hold]):
    """A hold ends as captured, released or expired. The list shows open holds unless a filter is set."""

    operation = "credits.read"
    icon = "lock_clock"
    heading = "Holds"
    about = "Credits reserved for a run, for at most 24 hours. Showing open holds; choose a state to see others."
    ordering = ("-created_at",)
    list_display = ("named", "amount_cell", "tenant", "of_product", "state", "ends")
    listed = of_customers("account_id")
    list_filter = (
        organization_filter("account_id"),
        choice_filter("status", "state", lambda: HoldStatus.choices),
        choice_filter("product", "product", product_choices, field="product_id"),
        days_filter("created_at", "opened"),
    )
    search_help_text = "Id of a hold (hold_id of an answer)"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        holds = super().get_queryset(request).select_related("account__organization", "product")
        is_list = getattr(request.resolver_match, "url_name", "") == f"{self.route_prefix}_changelist"
        if is_list and not any(
            request.GET.get(name) for name in ("status", "q", "created_at_from", "created_at_until")
        ):
            return holds.filter(status=HoldStatus.OPEN)
        return holds

    @display(description="Hold")
    def named(self, record: Hold) -> SafeString:
        return title_and_slug(f"{record.operation}, {format_credits(record.quantity)}", str(record.pk))

    @display(description="Held")
    def amount_cell(self, record: Hold) -> str:
        return format_credits(record.amount)

    @display(description="Organization")
    def tenant(self, record: Hold) -> SafeString:
        return account_link(record.account_id, record.account.organization.name)

    @display(description="Product")
    def of_product(self, record: Hold) -> SafeString:
        return record_link(record.product)

    @display(description="State")
    def state(self, record: Hold) -> SafeString:
        return hold_badge(record.status)

    @display(description="Ends")
    def ends(self, record: Hold) -> SafeString:
        return moment(record.ended_at or record.expires_at)

    def title_of(self, record: Hold) -> str:
        return f"Hold of {format_credits(record.amount)}"

    def badges(self, record: Hold) -> list[Any]:
        return [hold_badge(record.status)]

    def facts(self, record: Hold) -> list[Fact]:
        workspace, user = record.workspace_id, record.acting_user_id
        return [
            Fact("Held", format_credits(record.amount)),
            Fact("For", f"{record.operation}, {format_credits(record.quantity)}"),
            Fact("Organization", self.tenant(record)),
            Fact("Product", self.of_product(record), "Only this product can capture or release it."),
            Fact("Opened", moment(record.created_at)),
            Fact("Expires", moment(record.expires_at)),
            Fact("Ended", moment(record.ended_at)),
            Fact("Workspace", link(page_url_of(Workspace, workspace), "Open") if workspace else NOTHING),
            Fact("Acting user", link(page_url_of(User, user), "Open") if user else NOTHING),
            Fact("Policy version", str(record.policy_version)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: Hold) -> list[Panel]:
        if record.status != HoldStatus.CAPTURED:
            return []
        captured = CreditEntry.objects.filter(account_id=record.account_id, hold_id=record.pk).order_by("sequence")[:5]
        rows = [(entry_link(entry), format_credits(-entry.amount), moment(entry.recorded_at)) for entry in captured]
        return [Panel("What was captured", ("Entry", "Charged", "When"), rows, icon="receipt_long")]


class UncoveredChargeAdmin(ExpireOnReadAdmin[UncoveredCharge]):
    """Charges recorded although the grants did not cover them; new grants pay the oldest first."""

    operation = "credits.read"
    icon = "money_off"
    heading = "Uncovered charges"
    about = "Charges that are not fully paid by grants. The organization's next grant pays the oldest first."
    ordering = ("-entry__recorded_at",)
    list_display = ("named", "left", "charged", "tenant", "when")
    listed = of_customers("account_id")
    list_filter = (
        organization_filter("account_id"),
        flag_filter("open", "not fully paid", Q(amount_left__gt=0)),
    )
    search_help_text = "Id of the entry"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.has_view_permission(request):
            # A debt is a line here once it has found no grant.
            in_debt = CreditAccount.objects.filter(balance__lt=0).values_list("pk", flat=True)
            accounts_burn(context_of(request), account_ids=in_debt)
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UncoveredCharge]:
        return super().get_queryset(request).select_related("entry", "account__organization")

    @display(description="Charge")
    def named(self, record: UncoveredCharge) -> SafeString:
        return title_and_slug(record.entry.operation or record.entry.get_kind_display(), f"Line {record.sequence:,}")

    @display(description="Left to pay")
    def left(self, record: UncoveredCharge) -> str:
        return format_credits(record.amount_left)

    @display(description="Charged")
    def charged(self, record: UncoveredCharge) -> str:
        return format_credits(-record.entry.amount)

    @display(description="Organization")
    def tenant(self, record: UncoveredCharge) -> SafeString:
        return account_link(record.account_id, record.account.organization.name)

    @display(description="When")
    def when(self, record: UncoveredCharge) -> SafeString:
        return moment(record.entry.recorded_at)

    def title_of(self, record: UncoveredCharge) -> str:
        return f"{format_credits(record.amount_left)} left to pay of {format_credits(-record.entry.amount)}"

    def badges(self, record: UncoveredCharge) -> list[Any]:
        return [badge("Unpaid", "warn") if record.amount_left else badge("Paid", "good")]

    def facts(self, record: UncoveredCharge) -> list[Fact]:
        return [
            Fact("Left to pay", self.left(record), "The next grants pay it."),
            Fact("Charged", self.charged(record)),
            Fact("Organization", self.tenant(record)),
            Fact("Entry", entry_link(record.entry)),
            Fact("When", self.when(record)),
        ]

    def panels(self, request: HttpRequest, record: UncoveredCharge) -> list[Panel]:
        burns = GrantBurn.objects.filter(entry_id=record.pk).select_related("grant").order_by(F("pk").asc())[:50]
        rows = [(grant_link(burn.grant), format_credits(burn.amount)) for burn in burns]
        return [Panel("Grants that paid so far", ("Grant", "Amount"), rows, empty="None yet.", icon="savings")]
