"""How pages show ledger entries: what it was, of which product, by whom, in which run, and when it happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import list_url, moment, title_and_slug
from apps.backoffice.panels import PANEL_ROWS, Panel, panel_of
from apps.backoffice.records.credits import amount_cell, describe_quantity, entry_link, format_credits, kind_badge
from apps.core import clock
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry
from apps.credits.selectors.ledger import entries_of
from apps.credits.selectors.policies import PricedOperation, priced_operations
from apps.tenants.models import Product, User

_USES = frozenset({EntryKind.CONSUMPTION, EntryKind.CAPTURE})
_AT_ONCE = timedelta(minutes=1)
_HEADLINES = {
    EntryKind.GRANT: "Credits granted",
    EntryKind.EXPIRY: "Unused credits expired",
    EntryKind.VOID: "Grant voided",
    EntryKind.ADJUSTMENT: "Credits taken by staff",
    EntryKind.REVERSAL: "Charge reversed",
}


@dataclass(frozen=True, slots=True)
class EntryNames:
    """What the products, people and units of some entries are called."""

    products: Mapping[UUID, str] = field(default_factory=dict)
    people: Mapping[UUID, str] = field(default_factory=dict)
    prices: Mapping[tuple[UUID, str], PricedOperation] = field(default_factory=dict)

    def unit_of(self, entry: CreditEntry) -> str:
        """The unit of its operation; empty where no price names one."""
        price = self.prices.get((entry.product_id, entry.operation)) if entry.product_id else None
        return price.unit if price else ""


def names_of_entries(entries: Iterable[CreditEntry]) -> EntryNames:
    """Read them with one statement a kind, whatever the number of entries."""
    found = list(entries)
    products = sorted({entry.product_id for entry in found if entry.product_id})
    people = {entry.acting_user_id for entry in found if entry.acting_user_id}
    named = User.objects.filter(pk__in=people).values_list("pk", "name", "email")
    return EntryNames(
        dict(Product.objects.filter(pk__in=products).values_list("pk", "name")),
        {key: name or email for key, name, email in named},
        priced_operations(products, clock.now()),
    )


def describe_entry(entry: CreditEntry, names: EntryNames) -> SafeString:
    """The entry in two short lines: the operation with its quantity, over product, person, run and outcome."""
    return title_and_slug(_headline(entry, names), _detail(entry, names))


def _headline(entry: CreditEntry, names: EntryNames) -> str:
    headline = _HEADLINES.get(EntryKind(entry.kind))
    return headline or f"{entry.operation}, {describe_quantity(entry.quantity, names.unit_of(entry))}"


def _detail(entry: CreditEntry, names: EntryNames) -> str:
    if entry.kind not in _USES:
        return entry.reason
    parts = [
        names.products.get(entry.product_id, "") if entry.product_id else "",
        names.people.get(entry.acting_user_id, "") if entry.acting_user_id else "",
        entry.run_id,
        entry.outcome,
        f"{format_credits(entry.free_quantity)} of it free" if entry.free_quantity else "",
        why_free(entry) if entry.amount == 0 else "",
        "reported late" if entry.is_late else "",
    ]
    return ", ".join(part for part in parts if part)


def why_free(entry: CreditEntry) -> str:
    """Why a use was not charged."""
    if entry.category and entry.category != "regular":
        return f"counts as {entry.category}"
    if not entry.is_billable:
        return "not billable"
    return "" if entry.free_quantity else "costs nothing"


def when_it_was(entry: CreditEntry) -> SafeString:
    """When it happened, and when it was booked where that was later."""
    if abs(entry.recorded_at - entry.occurred_at) <= _AT_ONCE:
        return moment(entry.occurred_at)
    return format_html(
        '{}<small class="ch-booked">booked {}</small>', moment(entry.occurred_at), f"{entry.recorded_at:%-d %b, %H:%M}"
    )


def entries_panel(account_id: UUID, back: str = "") -> Panel:
    """The last entries of the account."""
    rows = entries_of(account_id).order_by("-sequence")
    names = names_of_entries(rows[: PANEL_ROWS + 1])
    return panel_of(
        "Last entries",
        ("When", "What", "Amount", "Balance after", "Entry"),
        rows,
        lambda entry: (
            when_it_was(entry),
            format_html("{} {}", kind_badge(entry), describe_entry(entry, names)),
            amount_cell(entry.amount),
            format_credits(entry.balance_after),
            entry_link(entry, back=back),
        ),
        empty="No entries yet. Grant credits so that this organization can spend them.",
        link=list_url(CreditEntry, organization=account_id),
        icon="receipt_long",
    )
