"""Messages of the Credits page: one sentence an entry. Free text that staff wrote is never shown here (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from apps.core.amounts import show_column, show_micro
from apps.core.enums import UsageCategory
from apps.core.moments import in_zone, write_moment
from apps.core.texts import name_operation, name_units
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry, CreditGrant
from apps.subscriptions.messages import day
from apps.subscriptions.models import DecisionReceipt


@dataclass(frozen=True, slots=True)
class Names:
    """Names for the ids of an entry, the units of operations by product and operation, and the zone of its days."""

    products: Mapping[Any, str]
    people: Mapping[Any, str]
    zone: tzinfo
    units: Mapping[Any, str] = field(default_factory=dict)
    workspaces: Mapping[Any, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry as the page shows it: what it is, and in smaller letters what paid it and what is odd about it."""

    entry: CreditEntry
    recorded_at: str
    sentence: str
    details: str
    amount: str
    balance_after: str


def describe_entries(entries: Sequence[CreditEntry], names: Names) -> list[EntryLine]:
    """Describe the entries, which come with their `burns` and their grants, `grant`, and `reversal_of`."""
    amounts = show_column([entry.amount for entry in entries])
    balances = show_column([entry.balance_after for entry in entries])
    return [
        _describe(entry, names, f"+{amount}" if entry.amount > 0 else amount, balance)
        for entry, amount, balance in zip(entries, amounts, balances, strict=True)
    ]


def _describe(entry: CreditEntry, names: Names, amount: str, balance: str) -> EntryLine:
    sentence, *details = _SENTENCES[EntryKind(entry.kind)](entry, names)
    at = f"{in_zone(entry.recorded_at, names.zone):%H:%M}"
    return EntryLine(entry, at, sentence, " ".join(details), amount, balance)


def grant_name(grant: CreditGrant, zone: tzinfo) -> str:
    """What a grant is called in a sentence: "the purchased grant of 3 March 2026"."""
    return f"the {grant.get_grant_type_display().lower()} grant of {day(grant.effective_at, zone)}"


def _say_grant(entry: CreditEntry, names: Names) -> list[str]:
    grant = entry.grant
    kind = grant.get_grant_type_display().lower() if grant else "other"
    until = f", valid until {day(grant.expires_at, names.zone)}" if grant and grant.expires_at else ""
    return [f"{_credits(entry.amount)} granted ({kind}){until}."]


def _say_use(entry: CreditEntry, names: Names) -> list[str]:
    product = names.products.get(entry.product_id, "another product") if entry.product_id else "no product"
    who = names.people.get(entry.acting_user_id) if entry.acting_user_id else None
    where = names.workspaces.get(entry.workspace_id) if entry.workspace_id else None
    words = [
        f"{_quantity(entry, names)} of {name_operation(entry.operation)} in {product}",
        *([f"by {who}"] if who else []),
        *([f"for {where}"] if where else []),
        *(["from a hold"] if entry.kind == EntryKind.CAPTURE else []),
    ]
    late = [f"It happened on {day(entry.occurred_at, names.zone)} and was booked late."] if entry.is_late else []
    if entry.amount == 0:
        return [f"{', '.join(words)}.", f"{_why_free(entry)}.", *late]
    free = [f"{show_micro(entry.free_quantity)} of it free this month."] if entry.free_quantity else []
    return [f"{', '.join(words)}.", *free, _paid_from(entry, names.zone), *late]


def _quantity(entry: CreditEntry, names: Names) -> str:
    """How much, in the operation's unit: "2,400 lines"; the sign of times where the unit is not known."""
    unit = names.units.get((entry.product_id, entry.operation), "") if entry.product_id else ""
    number = show_micro(entry.quantity)
    return f"{number} {name_units(unit, is_one=number == '1')}" if unit else f"{number} times"


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
        return "Not yet covered by any grant."
    if len(burns) == 1 and burns[0].amount == -entry.amount:
        return f"Paid from {grant_name(burns[0].grant, zone)}."
    parts = [f"{show_micro(burn.amount)} from {grant_name(burn.grant, zone)}" for burn in burns]
    rest = -entry.amount - sum(burn.amount for burn in burns)
    open_part = [f"{show_micro(rest)} not yet covered by any grant"] if rest > 0 else []
    return f"Paid with {_join([*parts, *open_part])}."


def _say_refund(entry: CreditEntry, names: Names) -> list[str]:
    charged = entry.reversal_of
    what = f" for {name_operation(charged.operation)} on {day(charged.occurred_at, names.zone)}" if charged else ""
    return [f"Refund of {_credits(entry.amount)}{what}."]


def _say_expiry(entry: CreditEntry, names: Names) -> list[str]:
    whose = f" of {grant_name(entry.grant, names.zone)}" if entry.grant else ""
    return [f"{_credits(-entry.amount)}{whose} expired unused."]


def _say_void(entry: CreditEntry, names: Names) -> list[str]:
    whose = f" of {grant_name(entry.grant, names.zone)}" if entry.grant else ""
    return [f"{_credits(-entry.amount)}{whose} withdrawn."]


def _say_adjustment(entry: CreditEntry, names: Names) -> list[str]:
    return [f"{_credits(-entry.amount)} removed by our billing team. Contact them for details."]


_SENTENCES: Mapping[EntryKind, Callable[[CreditEntry, Names], list[str]]] = {
    EntryKind.GRANT: _say_grant,
    EntryKind.CONSUMPTION: _say_use,
    EntryKind.CAPTURE: _say_use,
    EntryKind.REVERSAL: _say_refund,
    EntryKind.EXPIRY: _say_expiry,
    EntryKind.VOID: _say_void,
    EntryKind.ADJUSTMENT: _say_adjustment,
}


def _credits(amount: int) -> str:
    text = show_micro(amount)
    return f"{text} credit" if text == "1" else f"{text} credits"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """A run that was refused: when, what was asked, why, and what helps."""

    at: datetime
    when: str
    what: str
    why: str


_REFUSED: Mapping[str, str] = {
    "insufficient_credits": "There were not enough credits. More are needed, or a smaller run.",
    "not_a_member": "Who asked was no member of the organization. An admin can invite them under Members.",
    "lifecycle_denied": "The state of the workspace did not allow it. Settings says what works now, and why.",
    "unknown_operation": "The product's price list does not have it. Tell the product's support.",
    "unknown_outcome": "The product reported an end of the run that its price list does not have. Tell its support.",
    "charge_too_large": "It would have cost more than a single run may. Ask for less at once.",
}


def describe_refusal(receipt: DecisionReceipt, names: Names) -> RefusalLine:
    """The refusal in words. What staff wrote, and who they are, is not in them."""
    asked = receipt.question
    product_id, user_id = (UUID(asked[name]) if asked.get(name) else None for name in ("product_id", "user_id"))
    operation, who = str(asked.get("operation", "")), names.people.get(user_id) if user_id else None
    number = show_micro(int(asked.get("quantity") or 0))
    unit = names.units.get((product_id, operation), "")
    quantity = f", {number} {name_units(unit, is_one=number == '1')}" if unit else ""
    by = f", by {who}" if who else ""
    what = f"{name_operation(operation)} in {names.products.get(product_id, 'a product')}{quantity}{by}"
    when = write_moment(receipt.created_at, names.zone)
    return RefusalLine(receipt.created_at, when, what, _REFUSED.get(receipt.code, f"Refused: {receipt.code}."))
