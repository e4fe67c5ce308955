"""Amounts, quantities and kinds of credits as the staff plane writes them."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.display import NOTHING, Tone, badge, link, page_url_of, title_and_slug
from apps.core.amounts import MICRO, PLACES, format_micro
from apps.credits.enums import EntryKind, HoldStatus
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant

KIND_TONES: Mapping[str, Tone] = {
    EntryKind.GRANT: "good",
    EntryKind.REVERSAL: "info",
    EntryKind.EXPIRY: "warn",
    EntryKind.ADJUSTMENT: "warn",
}
HOLD_TONES: Mapping[str, Tone] = {HoldStatus.OPEN: "info", HoldStatus.CAPTURED: "good", HoldStatus.EXPIRED: "warn"}


def spelled(value: int) -> str:
    """Micro-credits or micro-units with separated thousands: "12,500.5"."""
    whole, rest = divmod(abs(value), MICRO)
    places = f".{rest:0{PLACES}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole:,}{places}"


def signed(value: int) -> str:
    """With its sign, for changes."""
    return f"+{spelled(value)}" if value > 0 else spelled(value)


def typed_amount(value: int) -> str:
    """As a person types it."""
    return format_micro(value)


def kind_badge(entry: CreditEntry) -> SafeString:
    """What kind of line it is."""
    return badge(entry.get_kind_display(), KIND_TONES.get(entry.kind, "neutral"))


def hold_badge(status: str) -> SafeString:
    """How a hold stands."""
    return badge(HoldStatus(status).label, HOLD_TONES.get(status, "neutral"))


def entry_link(entry: CreditEntry, text: str = "") -> SafeString:
    """A link to the entry."""
    return link(page_url_of(CreditEntry, entry.pk), text or f"No. {entry.sequence:,}")


def grant_link(grant: CreditGrant) -> SafeString:
    """A link to the grant, by its kind and amount."""
    text = f"{grant.get_grant_type_display()}, {spelled(grant.amount)}"
    return link(page_url_of(CreditGrant, grant.pk), text)


def account_link(account_id: object, name: str | None) -> SafeString:
    """A link to an account, by the name of its organization."""
    return link(page_url_of(CreditAccount, account_id), name or account_id)


def sentence_of(entry: CreditEntry) -> SafeString:
    """What happened, in two short lines."""
    return title_and_slug(_headline(entry), _detail(entry))


def _headline(entry: CreditEntry) -> str:
    words = {
        EntryKind.GRANT: "Credits granted",
        EntryKind.EXPIRY: "The rest of a grant expired",
        EntryKind.ADJUSTMENT: "Taken by an adjustment",
        EntryKind.REVERSAL: "A charge given back",
    }
    if EntryKind(entry.kind) in words:
        return words[EntryKind(entry.kind)]
    return f"{entry.operation}, {spelled(entry.quantity)}"


def _detail(entry: CreditEntry) -> str:
    if entry.kind not in {EntryKind.CONSUMPTION, EntryKind.CAPTURE}:
        return entry.reason
    parts = [entry.outcome] if entry.outcome else []
    if entry.free_quantity:
        parts.append(f"{spelled(entry.free_quantity)} of it free")
    if entry.amount == 0:
        parts.append(why_free(entry))
    if entry.is_late:
        parts.append("reported late")
    return ", ".join(part for part in parts if part)


def why_free(entry: CreditEntry) -> str:
    """Why a use was not charged."""
    if entry.category and entry.category != "regular":
        return f"counts as {entry.category}"
    if not entry.is_billable:
        return "not billable"
    return "" if entry.free_quantity else "costs nothing"


def amount_cell(value: int) -> SafeString:
    """A signed amount; what was taken and what was given differ by the sign, not by a colour alone."""
    return format_html(
        '<span class="ch-amount ch-amount-{}">{}</span>', "plus" if value > 0 else "minus", signed(value)
    )


def or_nothing(text: str) -> SafeString | str:
    """The text, or a dash."""
    return text or NOTHING
