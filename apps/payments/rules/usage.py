"""How usage is cut into batches for Orb, which entries go, and what an event says (spec 04, Usage to Orb). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.amounts import format_micro
from apps.core.canonical import moment_text
from apps.core.enums import UsageCategory
from apps.core.moments import read_iso_moment

# Orb takes so many events in a request.
MOST_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive entries of an organization's account, from `first` to `last`."""

    organization_id: UUID
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def key(self) -> str:
        return f"{self.organization_id}-{self.first}"


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What of a product is reported: its name in events, since when, and whether free and internal usage goes too."""

    slug: str
    reports_from: datetime
    includes_unpriced: bool = False
    # What was recorded from then on is not of this rule; None: the rule goes on.
    reports_until: datetime | None = None
    # Only what occurred from the first moment on, and before the second.
    occurred: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One charge as the ledger has it. Amounts in micro-credits, quantities in micro-units."""

    entry_id: UUID
    organization_id: UUID
    product_id: UUID
    workspace_id: UUID | None
    operation: str
    category: str
    quantity: int
    free_quantity: int
    charged: int
    occurred_at: datetime
    recorded_at: datetime
    is_billable: bool
    is_charged_here: bool


def pack(parts: Iterable[Part], *, most: int = MOST_EVENTS) -> Iterator[list[Part]]:
    """Batches of at most `most` entries; a part that is larger goes on in the next batch."""
    batch: list[Part] = []
    room = most
    for part in parts:
        first = part.first
        while first <= part.last:
            last = min(part.last, first + room - 1)
            batch.append(Part(part.organization_id, first, last))
            room -= last - first + 1
            first = last + 1
            if not room:
                yield batch
                batch, room = [], most
    if batch:
        yield batch


def halve(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """Two batches of about half the entries each; the second is empty where there is one entry alone."""
    whole = sum(part.size for part in parts)
    halves = list(pack(parts, most=max(1, (whole + 1) // 2)))
    return halves[0], halves[1] if len(halves) > 1 else []


def is_reported(usage: Usage, rules: Mapping[UUID, ProductRule]) -> bool:
    """Whether Orb is to hear of it.

    What the product decided and charged itself stays with the product, and a run that nobody is billed for is no
    usage to price.
    """
    rule = rules.get(usage.product_id)
    if rule is None or usage.quantity <= 0 or not _is_of_its_time(usage, rule):
        return False
    if not (usage.is_billable and usage.is_charged_here):
        return False
    return rule.includes_unpriced or usage.category == UsageCategory.REGULAR


def _is_of_its_time(usage: Usage, rule: ProductRule) -> bool:
    if usage.recorded_at < rule.reports_from:
        return False
    if rule.reports_until is not None and usage.recorded_at >= rule.reports_until:
        return False
    return rule.occurred is None or rule.occurred[0] <= usage.occurred_at < rule.occurred[1]


def was_told(usage: Usage, periods: Iterable[ProductRule]) -> bool:
    """Whether Orb has heard of it in one of these times in which its product's usage was reported."""
    return any(is_reported(usage, {usage.product_id: period}) for period in periods)


def gaps(since: datetime, periods: Sequence[ProductRule]) -> list[tuple[datetime, datetime]]:
    """The times after `since` of which Orb has heard nothing; `periods` in their order, of which the last goes on."""
    found, begin = [], since
    for period in periods:
        if begin < period.reports_from:
            found.append((begin, period.reports_from))
        begin = max(begin, period.reports_until or period.reports_from)
    return found


def event_of(usage: Usage, rule: ProductRule, *, given_back: int = 0) -> dict[str, Any]:
    """The event without its key. Orb adds up numbers alone, and ours are whole: quantities in millionths of a unit.

    `paid_by` lets Orb's plan price only what credits did not pay.
    """
    charged = usage.charged - given_back
    return {
        "event_name": f"{rule.slug}.{usage.operation}",
        "external_customer_id": str(usage.organization_id),
        "timestamp": moment_text(usage.occurred_at),
        "properties": {
            "quantity": format_micro(usage.quantity),
            "quantity_micro": usage.quantity,
            "free_quantity_micro": usage.free_quantity,
            "category": usage.category,
            "charged": format_micro(charged),
            "charged_micro": charged,
            # By the charge as it was: what a reversal gives back does not become a matter for Orb to price.
            "paid_by": "credits" if usage.charged else "none",
            "workspace_id": str(usage.workspace_id or ""),
        },
    }


def ingested_event(usage: Usage, rule: ProductRule, *, given_back: int = 0) -> dict[str, Any]:
    """The event as it is sent first, with the entry's id as its key: the same at each try, whatever came after it.

    Only what is sent long after it occurred leaves out what was given back meanwhile.
    """
    return {"idempotency_key": str(usage.entry_id), **event_of(usage, rule, given_back=given_back)}


def as_payload(parts: Iterable[Part], rules: Mapping[UUID, ProductRule]) -> dict[str, Any]:
    """What the outbox keeps of a batch: entries never change, so their places and the rules say every event."""
    return {
        "parts": [[str(part.organization_id), part.first, part.last] for part in parts],
        "rules": {str(product_id): _as_row(rule) for product_id, rule in rules.items()},
    }


def of_payload(payload: Mapping[str, Any]) -> tuple[list[Part], dict[UUID, ProductRule]]:
    """The batch that `as_payload` wrote."""
    parts = [Part(UUID(organization), first, last) for organization, first, last in payload["parts"]]
    return parts, {UUID(product): _of_row(row) for product, row in payload["rules"].items()}


def _as_row(rule: ProductRule) -> list[Any]:
    row: list[Any] = [rule.slug, moment_text(rule.reports_from), rule.includes_unpriced]
    window = (rule.reports_until, *(rule.occurred or (None, None)))
    return [*row, *(moment and moment_text(moment) for moment in window)] if any(window) else row


def _of_row(row: Sequence[Any]) -> ProductRule:
    slug, reports_from, includes_unpriced, *window = row
    until, first, last = (text and read_iso_moment(text) for text in window or [None] * 3)
    occurred = (first, last) if first else None
    return ProductRule(slug, read_iso_moment(reports_from), includes_unpriced, until, occurred)
