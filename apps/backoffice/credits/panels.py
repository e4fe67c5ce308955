"""Short tables of an account's grants, entries, holds and debts, used on every page that speaks of it."""

from __future__ import annotations

from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.credits.effects import burn_order
from apps.backoffice.credits.words import (
    amount_cell,
    entry_link,
    grant_link,
    hold_badge,
    kind_badge,
    sentence_of,
    spelled,
)
from apps.backoffice.display import link, list_url, moment, page_url
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.core import clock
from apps.credits.enums import HoldStatus
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, Hold, UncoveredCharge
from apps.credits.selectors.ledger import entries_of, next_expiries

_FULL, _MANY = 100, 3


def account_facts(account: CreditAccount) -> list[Fact]:
    """What the account holds, in the order in which people ask."""
    available = account.balance - account.held + account.overdraft_limit
    limit = spelled(account.overdraft_limit)
    hint = f"The overdraft limit of {limit} included." if account.overdraft_limit else "Balance less held."
    return [
        Fact("Available", format_html("<b>{}</b>", spelled(available)), hint),
        Fact("Balance", spelled(account.balance), "The sum of all entries."),
        Fact("Held", spelled(account.held), "Reserved by open holds."),
        Fact("Overdraft limit", limit),
        Fact("Next expiries", next_expiry_words(account.pk)),
    ]


def next_expiry_words(account_id: UUID) -> SafeString | str:
    """What expires next, and when; one query."""
    grants = next_expiries(account_id, clock.now(), at_most=_MANY)
    if not grants:
        return "Nothing expires"
    lines = [format_html("{} on {}", spelled(grant.remaining), f"{grant.expires_at:%-d %b %Y}") for grant in grants]
    return format_html("{}", "; ".join(lines))


def grants_panel(account_id: UUID) -> Panel:
    """The live grants as they are burned, the next one first."""
    return panel_of(
        "Grants, in the order in which they are burned",
        ("Grant", "Left", "Priority", "Expires", "Granted by"),
        burn_order(account_id),
        lambda grant: (
            grant_link(grant),
            left_of(grant),
            str(grant.priority),
            moment(grant.expires_at) if grant.expires_at else "Never",
            grant.granted_by,
        ),
        empty="No credits left in any grant.",
        link=list_url(CreditGrant, organization=account_id),
        icon="savings",
    )


def left_of(grant: CreditGrant) -> SafeString:
    """What is left of a grant, as an amount and as a bar."""
    return format_html(
        '<span class="ch-left">{} <small>of {}</small>'
        '<progress max="{}" value="{}" aria-hidden="true"></progress></span>',
        spelled(grant.remaining),
        spelled(grant.amount),
        _FULL,
        grant.remaining * _FULL // grant.amount,
    )


def entries_panel(account_id: UUID) -> Panel:
    """The last entries."""
    return panel_of(
        "Last entries",
        ("When", "What", "Amount", "Balance after", "Entry"),
        entries_of(account_id).order_by("-sequence"),
        lambda entry: (
            moment(entry.recorded_at),
            format_html("{} {}", kind_badge(entry), sentence_of(entry)),
            amount_cell(entry.amount),
            spelled(entry.balance_after),
            entry_link(entry),
        ),
        empty="Nothing has happened on this account yet. Grant credits to let it spend.",
        link=list_url(CreditEntry, organization=account_id),
        icon="receipt_long",
    )


def holds_panel(account_id: UUID) -> Panel:
    """The open holds, the one that ends next first."""
    holds = Hold.objects.filter(account_id=account_id, status=HoldStatus.OPEN).select_related("product")
    return panel_of(
        "Open holds",
        ("Hold", "Held", "Product", "Ends", "State"),
        holds.order_by("expires_at"),
        lambda hold: (
            link(page_url(hold), f"{hold.operation}, {spelled(hold.quantity)}"),
            spelled(hold.amount),
            str(hold.product),
            moment(hold.expires_at),
            hold_badge(hold.status),
        ),
        empty="Nothing is held.",
        link=list_url(Hold, organization=account_id),
        icon="lock_clock",
    )


def uncovered_panel(account_id: UUID) -> list[Panel]:
    """What no grant has paid yet; no panel where there is nothing."""
    debts = UncoveredCharge.objects.filter(account_id=account_id, amount_left__gt=0).select_related("entry")
    panel = panel_of(
        "Charges that no grant has paid yet",
        ("Entry", "Left to pay", "Charged", "When"),
        debts.order_by("sequence"),
        lambda debt: (
            entry_link(debt.entry),
            spelled(debt.amount_left),
            spelled(-debt.entry.amount),
            moment(debt.entry.recorded_at),
        ),
        empty="",
        link=list_url(UncoveredCharge, organization=account_id),
        icon="money_off",
    )
    return [panel] if panel.rows else []
