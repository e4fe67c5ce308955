"""The sentences of the timeline about causes, in the words of those who read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from apps.connectors.enums import AutoDisableReason, ConnectorEventKind
from apps.tenants.selectors.members import FORMER_MEMBER

# What has happened, and what brings the connector back.
CAUSES: Mapping[AutoDisableReason, str] = MappingProxyType(
    {
        AutoDisableReason.INVALID_PAYMENT_METHOD: "the organization's payments failed and its grace period ended",
        AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE: "an invoice was marked uncollectible",
        AutoDisableReason.UNSUBSCRIBED: "the subscription ended",
        AutoDisableReason.CREDITS_EXHAUSTED: "the organization's credits are used up",
        AutoDisableReason.TOO_MANY_FAILURES: "too many syncs failed in a row",
        AutoDisableReason.CREDENTIAL_INVALID: "the provider refused its credential",
    }
)
REMEDIES: Mapping[AutoDisableReason, str] = MappingProxyType(
    {
        AutoDisableReason.INVALID_PAYMENT_METHOD: "It comes back by itself once the overdue invoices are paid.",
        AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE: "It comes back by itself once the organization is unlocked.",
        AutoDisableReason.UNSUBSCRIBED: "It comes back by itself with a new subscription.",
        AutoDisableReason.CREDITS_EXHAUSTED: "It comes back by itself once there are credits again.",
        AutoDisableReason.TOO_MANY_FAILURES: "Look at the failed syncs, mend their cause, then enable it.",
        AutoDisableReason.CREDENTIAL_INVALID: "Replace the credential: that enables it again.",
    }
)


class Counts(Protocol):
    """What a run counts."""

    created: int
    updated: int
    voided: int
    unchanged: int


# How an actor who is no person is labelled, and what people call it.
_ACTORS = {"scheduler": "the schedule", "console": "an operator", "cron": "a cron job"}


def actor_words(label: str, people: Mapping[str, str]) -> str:
    """Who acted, in words that a tenant may read.

    The machinery gets a name and a product keeps its own. Of a person `people` says what may be read; an address that
    it does not know is nobody's business.
    """
    kind, separator, _ = label.partition(":")
    if separator:
        return _ACTORS.get(kind, label)
    return people.get(label, FORMER_MEMBER) if "@" in label else label


def counted(count: int, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counts_words(run: Counts) -> str:
    """What a run brought, without what it did not bring."""
    parts = ((run.created, "new"), (run.updated, "changed"), (run.voided, "voided"), (run.unchanged, "as before"))
    return ", ".join(f"{count:,} {word}" for count, word in parts if count) or "no records"


def sentence_of_arrival(kind: ConnectorEventKind, reason: AutoDisableReason) -> str:
    """What the timeline says when the cause came."""
    if kind is ConnectorEventKind.CAUSE_ADDED:
        return f"Stays off for one more cause: {CAUSES[reason]}."
    return f"Switched off by the system, because {CAUSES[reason]}. {REMEDIES[reason]}"


def sentence_of_departure(kind: ConnectorEventKind, reason: AutoDisableReason) -> str:
    """What the timeline says when the cause went away."""
    if kind is ConnectorEventKind.CAUSE_REMOVED:
        return f"One cause is gone ({reason.label.lower()}); another still keeps it off."
    return f"Enabled again: its cause is gone ({reason.label.lower()})."
