"""THE rules of closing and reopening an organization: what refuses either, and until when (spec 14). Pure.

Open invoices and open holds refuse a close, unless whoever closes says that they know of them. Nothing forces the close
of a sample or of a check's organization, which their own jobs replace; and nothing reopens them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.errors import Reason

REOPEN_WITHIN = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """Something that is still under way, such as an unpaid invoice: its kind, its words, the record."""

    rule: str
    fact: str
    record: str


@dataclass(frozen=True, slots=True)
class ClosingFacts:
    """What a decision about closing or reopening rests on."""

    at: datetime
    closed_at: datetime | None = None
    is_sample: bool = False
    open_items: Sequence[OpenItem] = ()


@dataclass(frozen=True, slots=True)
class ClosingRefusal:
    """Why not; `code` is a problem code."""

    code: str
    title: str
    detail: str
    reasons: tuple[Reason, ...] = ()


def refuse_close(facts: ClosingFacts, *, is_forced: bool) -> ClosingRefusal | None:
    """Why the organization can't be closed; None where it can."""
    if facts.closed_at is not None:
        return ClosingRefusal(
            code="organization_closed",
            title="The organization is closed already",
            detail=f"It was closed on {_day(facts.closed_at)} already. Nothing was changed.",
        )
    if facts.is_sample:
        return _blocked(
            "This organization belongs to the sample data or to a cutover check, which replace it themselves.",
            (Reason("is_sample", "deny", "it belongs to the sample data or to a cutover check"),),
        )
    if not facts.open_items or is_forced:
        return None
    named = "; ".join(item.fact for item in facts.open_items)
    return _blocked(
        f'Still open: {named}. Settle that first, or choose "Close although something is open".',
        tuple(Reason(item.rule, "deny", item.fact, item.record) for item in facts.open_items),
    )


def reopens_until(closed_at: datetime) -> datetime:
    """The moment from which on an organization that was closed then stays closed."""
    return closed_at + REOPEN_WITHIN


def refuse_reopen(facts: ClosingFacts) -> ClosingRefusal | None:
    """Why the organization can't be reopened; None where it can."""
    if facts.closed_at is None:
        return ClosingRefusal(
            code="state_conflict",
            title="The organization is open",
            detail="The organization is open already. Nothing was changed.",
        )
    if facts.is_sample:
        return _expired(
            "This organization belonged to the sample data or to a cutover check. Another one has taken its place.",
            Reason("is_sample", "deny", "another one has taken its place"),
        )
    until = reopens_until(facts.closed_at)
    if facts.at < until:
        return None
    fact = f"it was closed on {_day(facts.closed_at)} and could be reopened until {_day(until)}"
    return _expired(
        f"The organization stays closed: {fact}. Make a new one; owners can still export the data of this one.",
        Reason("reopen_within", "deny", fact),
    )


def _blocked(detail: str, reasons: tuple[Reason, ...]) -> ClosingRefusal:
    return ClosingRefusal(
        code="closing_blocked", title="The organization can't be closed now", detail=detail, reasons=reasons
    )


def _expired(detail: str, reason: Reason) -> ClosingRefusal:
    return ClosingRefusal(
        code="reopening_expired",
        title="The organization can't be reopened any more",
        detail=detail,
        reasons=(reason,),
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
