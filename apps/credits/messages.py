"""Messages of the Credits page: one sentence an entry. Free text that staff wrote is never shown here (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID

from apps.core.amounts import format_micro
from apps.core.enums import UsageCategory
from apps.core.moments import in_zone
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry, CreditGrant
from apps.subscriptions.messages import day


@dataclass(frozen=True, slots=True)
class Names:
    """Names for the ids of an entry, and the zone of its days."""

    products: Mapping[UUID, str]
    people: Mapping[UUID, str]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry as the page shows it."""

    entry: CreditEntry
    recorded_on: str
    sentence: str
    amount: str
    balance_after: str


def describe_entry(entry: CreditEntry, names: Names) -> EntryLine:
    """Describe the entry. It comes with its `burns` and their grants, `grant`, and `reversal_of`."""
    sentence = _SENTENCES[EntryKind(entry.kind)](entry, names)
    sign = "+" if entry.amount > 0 else ""
    recorded_on = moment(entry.recorded_at, names.zone)
    return EntryLine(
        entry, recorded_on, sentence, f"{sign}{format_micro(entry.amount)}", format_micro(entry.balance_after)
    )


def grant_name(grant: CreditGrant, zone: tzinfo) -> str:
    """What a grant is called in a sentence: "the purchased grant of 3 March 2026"."""
    return f"the {grant.get_grant_type_display().lower()} grant of {day(grant.effective_at, zone)}"


def _say_grant(entry: CreditEntry, names: Names) -> str:
    grant = entry.grant
    kind = grant.get_grant_type_display().lower() if grant else "other"
    until = f", valid until {day(grant.expires_at, names.zone)}" if grant and grant.expires_at else ""
    return f"{_credits(entry.amount)} granted ({kind}){until}."


def _say_use(entry: CreditEntry, names: Names) -> str:
    product = names.products.get(entry.product_id, "another product") if entry.product_id else "no product"
    who = names.people.get(entry.acting_user_id) if entry.acting_user_id else None
    what = f"{format_micro(entry.quantity)} × {entry.operation} in {product}"  # noqa: RUF001 - the sign of times
    by = f" by {who}" if who else ""
    after = " from a hold" if entry.kind == EntryKind.CAPTURE else ""
    late = f" It happened on {day(entry.occurred_at, names.zone)} and was booked late." if entry.is_late else ""
    if entry.amount == 0:
        return f"{what}{by}{after}. {_why_free(entry)}.{late}"
    free = f", {format_micro(entry.free_quantity)} of it free this month" if entry.free_quantity else ""
    return f"{_credits(-entry.amount)} for {what}{by}{after}{free}{_paid_from(entry, names.zone)}.{late}"


def _why_free(entry: CreditEntry) -> str:
    if not entry.is_billable:
        return f"Not charged: the run ended as {entry.outcome}"
    reasons = {
        UsageCategory.FREE.value: "Free",
        UsageCategory.INTERNAL.value: "Not charged: internal usage",
    }
    return reasons.get(entry.category, "Not charged: the price is zero")


def _paid_from(entry: CreditEntry, zone: tzinfo) -> str:
    burns = [burn for burn in entry.burns.all() if burn.amount > 0]
    if not burns:
        return ", not yet covered by any grant"
    if len(burns) == 1 and burns[0].amount == -entry.amount:
        return f", paid from {grant_name(burns[0].grant, zone)}"
    parts = [f"{format_micro(burn.amount)} from {grant_name(burn.grant, zone)}" for burn in burns]
    rest = -entry.amount - sum(burn.amount for burn in burns)
    open_part = [f"{format_micro(rest)} not yet covered by any grant"] if rest > 0 else []
    return f", paid with {_join([*parts, *open_part])}"


def _say_refund(entry: CreditEntry, names: Names) -> str:
    charged = entry.reversal_of
    what = f" for {charged.operation} on {day(charged.occurred_at, names.zone)}" if charged else ""
    return f"Refund of {_credits(entry.amount)}{what}."


def _say_expiry(entry: CreditEntry, names: Names) -> str:
    whose = f" of {grant_name(entry.grant, names.zone)}" if entry.grant else ""
    return f"{_credits(-entry.amount)}{whose} expired unused."


def _say_void(entry: CreditEntry, names: Names) -> str:
    whose = f" of {grant_name(entry.grant, names.zone)}" if entry.grant else ""
    return f"{_credits(-entry.amount)}{whose} withdrawn."


def _say_adjustment(entry: CreditEntry, names: Names) -> str:
    return f"{_credits(-entry.amount)} removed by our billing team. Contact them for details."


_SENTENCES: Mapping[EntryKind, Callable[[CreditEntry, Names], str]] = {
    EntryKind.GRANT: _say_grant,
    EntryKind.CONSUMPTION: _say_use,
    EntryKind.CAPTURE: _say_use,
    EntryKind.REVERSAL: _say_refund,
    EntryKind.EXPIRY: _say_expiry,
    EntryKind.VOID: _say_void,
    EntryKind.ADJUSTMENT: _say_adjustment,
}


def _credits(amount: int) -> str:
    text = format_micro(amount)
    return f"{text} credit" if text == "1" else f"{text} credits"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def moment(at: datetime, zone: tzinfo) -> str:
    """The moment for people: "3 April 2026, 14:05"."""
    return f"{day(at, zone)}, {in_zone(at, zone):%H:%M}"
