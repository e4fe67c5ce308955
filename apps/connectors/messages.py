"""Sentences that people read about connectors: causes and actors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apps.connectors.enums import AutoDisableReason, ConnectorEventKind
from apps.tenants.selectors.members import FORMER_MEMBER

# Each follows "because".
CAUSES: Mapping[AutoDisableReason, str] = MappingProxyType(
    {
        AutoDisableReason.INVALID_PAYMENT_METHOD: "the organization's payments failed and its grace period ended",
        AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE: "an invoice was marked uncollectible",
        AutoDisableReason.UNSUBSCRIBED: "the subscription ended",
        AutoDisableReason.CREDITS_EXHAUSTED: "the organization's credits are used up",
        AutoDisableReason.TOO_MANY_FAILURES: "too many syncs failed in a row",
        AutoDisableReason.CREDENTIAL_INVALID: "the provider refused its credential",
        AutoDisableReason.ORGANIZATION_CLOSED: "the organization was closed",
    }
)
REMEDIES: Mapping[AutoDisableReason, str] = MappingProxyType(
    {
        AutoDisableReason.INVALID_PAYMENT_METHOD: "It is enabled again once the overdue invoices are paid.",
        AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE: "It is enabled again once the organization is unlocked.",
        AutoDisableReason.UNSUBSCRIBED: "It is enabled again with a new subscription.",
        AutoDisableReason.CREDITS_EXHAUSTED: "It is enabled again with new credits, or by the switch on Settings.",
        AutoDisableReason.TOO_MANY_FAILURES: "Look at the failed syncs, fix the cause, then enable it.",
        AutoDisableReason.CREDENTIAL_INVALID: "Replace the credential to enable it again.",
        AutoDisableReason.ORGANIZATION_CLOSED: "It is enabled again once the organization is reopened.",
    }
)


_ACTORS = {"scheduler": "the schedule", "console": "an operator", "cron": "a cron job"}


def describe_actor(label: str, people: Mapping[str, str]) -> str:
    """Who acted, in words that a tenant may read.

    `people` holds the names that the tenant may see, so that the address of our staff is never shown.
    """
    kind, separator, _ = label.partition(":")
    if separator:
        return _ACTORS.get(kind, label)
    return people.get(label, FORMER_MEMBER) if "@" in label else label


def format_count(count: int, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def describe_added_cause(kind: ConnectorEventKind, reason: AutoDisableReason) -> str:
    """The timeline's sentence when a cause was added."""
    if kind is ConnectorEventKind.CAUSE_ADDED:
        return f"Another cause keeps it off: {CAUSES[reason]}."
    return f"Switched off by the system because {CAUSES[reason]}. {REMEDIES[reason]}"


def describe_removed_cause(kind: ConnectorEventKind, reason: AutoDisableReason) -> str:
    """The timeline's sentence when a cause was removed."""
    if kind is ConnectorEventKind.CAUSE_REMOVED:
        return f"One cause ended ({reason.label.lower()}); another still keeps it off."
    return f"Enabled again: the cause ended ({reason.label.lower()})."
