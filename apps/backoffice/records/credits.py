"""How pages show credits: amounts, badges, links, facts of an account, and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import BACK, Tone, badge, link, list_url, moment, page_url, page_url_of
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.core import clock
from apps.core.amounts import MICRO, PLACES, round_to_quantum
from apps.core.moments import zone_of
from apps.credits.enums import EntryKind, HoldStatus
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, Hold, UncoveredCharge
from apps.credits.selectors.forecast import forecast_of
from apps.credits.selectors.ledger import next_expiries

_FULL, _MANY, _YEAR = 100, 3, 365
KIND_TONES: Mapping[str, Tone] = {
    EntryKind.GRANT: "good",
    EntryKind.REVERSAL: "info",
    EntryKind.EXPIRY: "warn",
    EntryKind.VOID: "warn",
    EntryKind.ADJUSTMENT: "warn",
}
HOLD_TONES: Mapping[str, Tone] = {HoldStatus.OPEN: "info", HoldStatus.CAPTURED: "good", HoldStatus.EXPIRED: "warn"}


def format_credits(value: int) -> str:
    """Format micro-credits or micro-units with thousands separators: "12,500.5"."""
    whole, rest = divmod(abs(value), MICRO)
    places = f".{rest:0{PLACES}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole:,}{places}"


def describe_quantity(quantity: int, unit: str) -> str:
    """Micro-units with their unit, which products name in the singular."""
    return f"{format_credits(quantity)} \N{MULTIPLICATION SIGN} {unit}" if unit else format_credits(quantity)


def format_signed(value: int) -> str:
    return f"+{format_credits(value)}" if value > 0 else format_credits(value)


def kind_badge(entry: CreditEntry) -> SafeString:
    return badge(entry.get_kind_display(), KIND_TONES.get(entry.kind, "neutral"))


def hold_badge(status: str) -> SafeString:
    return badge(HoldStatus(status).label, HOLD_TONES.get(status, "neutral"))


def entry_link(entry: CreditEntry, text: str = "", back: str = "") -> SafeString:
    """A link to the entry's page, whose dialogs lead to the page that `back` names."""
    url = page_url_of(CreditEntry, entry.pk)
    return link(f"{url}?{urlencode({BACK: back})}" if back else url, text or f"No. {entry.sequence:,}")


def grant_link(grant: CreditGrant) -> SafeString:
    """A link that shows the grant's kind and amount."""
    text = f"{grant.get_grant_type_display()}, {format_credits(grant.amount)}"
    return link(page_url_of(CreditGrant, grant.pk), text)


def account_link(account_id: object, name: str | None) -> SafeString:
    """A link that shows the name of the account's organization."""
    return link(page_url_of(CreditAccount, account_id), name or account_id)


def amount_cell(value: int) -> SafeString:
    """An amount with its sign, so that a charge and a grant don't differ by colour alone."""
    return format_html(
        '<span class="ch-amount ch-amount-{}">{}</span>', "plus" if value > 0 else "minus", format_signed(value)
    )


def account_facts(account: CreditAccount) -> list[Fact]:
    """Available first: it is what people ask for."""
    available = account.balance - account.held + account.overdraft_limit
    limit = format_credits(account.overdraft_limit)
    hint = f"Includes the overdraft limit of {limit}." if account.overdraft_limit else "Balance minus held."
    return [
        Fact("Available", format_html("<b>{}</b>", format_credits(available)), hint),
        Fact("Balance", format_credits(account.balance), "The sum of all entries."),
        Fact("Held", format_credits(account.held), "Reserved by open holds."),
        Fact("Overdraft limit", limit),
        Fact("Next expiries", describe_next_expiries(account.pk)),
        Fact("Lasts", *describe_forecast(account)),
    ]


def describe_forecast(account: CreditAccount) -> tuple[str, str]:
    """How long the credits last at the pace of the last 30 days, and what will expire unused; the page's two lines."""
    told = forecast_of(account, now=clock.now(), zone=zone_of(account.organization.time_zone))
    unused = f"{format_credits(told.will_lapse)} will expire unused." if told.will_lapse else ""
    if told.days is None:
        lasts = "Nothing was spent in 30 days" if told.a_day == 0 else "Too early to tell"
        return lasts, unused
    days = "More than a year" if told.days > _YEAR else f"{told.days} day{'' if told.days == 1 else 's'}"
    pace = f"{format_credits(round_to_quantum(told.a_day, 1, MICRO // 100))} a day."
    return days, f"{pace} {unused}".strip()


def describe_next_expiries(account_id: UUID) -> SafeString | str:
    """The next amounts that expire, with their dates."""
    grants = next_expiries(account_id, clock.now(), at_most=_MANY)
    if not grants:
        return "Nothing expires"
    lines = [
        format_html("{} on {}", format_credits(grant.remaining), f"{grant.expires_at:%-d %b %Y}") for grant in grants
    ]
    return format_html("{}", "; ".join(lines))


def burn_order(account_id: UUID) -> QuerySet[CreditGrant]:
    """Active grants in the order of use: lowest priority number, earliest expiry, oldest."""
    live = CreditGrant.objects.filter(account_id=account_id, is_spent=False)
    return live.order_by("priority", F("expires_at").asc(nulls_last=True), "created_at", "pk")


def grants_panel(account_id: UUID) -> Panel:
    """Active grants, the next to be used first."""
    return panel_of(
        "Grants, in the order of use",
        ("Grant", "Left", "Priority", "Expires", "Granted by"),
        burn_order(account_id),
        lambda grant: (
            grant_link(grant),
            left_of(grant),
            str(grant.priority),
            moment(grant.expires_at) if grant.expires_at else "Never",
            grant.granted_by,
        ),
        empty="No grant has credits left.",
        link=list_url(CreditGrant, organization=account_id),
        icon="savings",
    )


def left_of(grant: CreditGrant) -> SafeString:
    """The remaining amount of a grant, with a progress bar."""
    return format_html(
        '<span class="ch-left">{} <small>of {}</small>'
        '<progress max="{}" value="{}" aria-hidden="true"></progress></span>',
        format_credits(grant.remaining),
        format_credits(grant.amount),
        _FULL,
        grant.remaining * _FULL // grant.amount,
    )


def holds_panel(account_id: UUID) -> Panel:
    """Open holds, the next to expire first."""
    holds = Hold.objects.filter(account_id=account_id, status=HoldStatus.OPEN).select_related("product")
    return panel_of(
        "Open holds",
        ("Hold", "Held", "Product", "Ends", "State"),
        holds.order_by("expires_at"),
        lambda hold: (
            link(page_url(hold), f"{hold.operation}, {format_credits(hold.quantity)}"),
            format_credits(hold.amount),
            str(hold.product),
            moment(hold.expires_at),
            hold_badge(hold.status),
        ),
        empty="No open holds.",
        link=list_url(Hold, organization=account_id),
        icon="lock_clock",
    )


def uncovered_panel(account_id: UUID) -> list[Panel]:
    """Charges that grants have not fully paid; no panel without any."""
    debts = UncoveredCharge.objects.filter(account_id=account_id, amount_left__gt=0).select_related("entry")
    panel = panel_of(
        "Unpaid charges",
        ("Entry", "Left to pay", "Charged", "When"),
        debts.order_by("sequence"),
        lambda debt: (
            entry_link(debt.entry),
            format_credits(debt.amount_left),
            format_credits(-debt.entry.amount),
            moment(debt.entry.recorded_at),
        ),
        empty="",
        link=list_url(UncoveredCharge, organization=account_id),
        icon="money_off",
    )
    return [panel] if panel.rows else []
