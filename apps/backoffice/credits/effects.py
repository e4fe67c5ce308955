"""Previews of the verbs of credits: balance before and after, and which grants change. Reads only.

The services commit their answer with their key, so they can't be run and rolled back as the workspace's verbs are; here
the effect is computed from the account as it is, with the order in which grants burn (spec 05). The service has the
last word: between the preview and the click other charges may come.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Sum

from apps.backoffice.credits.forms import AdjustForm, GrantForm, OverdraftForm, ReverseForm
from apps.backoffice.credits.price_preview import affected, affected_title, headline, result_of, warnings, why_no_result
from apps.backoffice.records.credits import burn_order, format_credits
from apps.backoffice.verbs import Change, ChangeGroup, Preview
from apps.core import clock
from apps.core.errors import UnprocessableError
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, CreditPolicy, UncoveredCharge
from apps.credits.rules.allocation import affordable, allocate, reversal_order
from apps.credits.selectors.ledger import left_to_reverse, payments_of
from apps.credits.selectors.policies import terms_in_force

MOST_LINES = 8


def of_grant(account: CreditAccount, form: GrantForm) -> Preview:
    """Credits come in; debts that no grant has paid are paid first."""
    amount, effective_at, expires_at = form.cleaned_data["amount"], form.effective_at(), form.expires_at()
    begins_later = effective_at is not None and effective_at > clock.now()
    lines = [f"Available from {effective_at:%-d %B %Y, %H:%M} UTC; until then nothing changes."] if begins_later else []
    debt = UncoveredCharge.objects.filter(account=account, amount_left__gt=0).aggregate(total=Sum("amount_left"))[
        "total"
    ]
    if debt and not begins_later:
        lines.append(f"{format_credits(min(debt, amount))} pay charges that no grant has paid yet.")
    lines.append(f"Unused credits expire on {expires_at:%-d %B %Y}." if expires_at else "These credits do not expire.")
    return _preview(_balances(account, 0 if begins_later else amount), lines)


def of_adjustment(account: CreditAccount, form: AdjustForm) -> Preview:
    """Credits go; which grants pay."""
    amount: int = form.cleaned_data["amount"]
    parts, _ = allocate(amount, burn_order(account.pk))
    lines = [f"{format_credits(taken)} from {_grant_name(grant)}" for grant, taken in parts[: MOST_LINES + 1]]
    left = format_credits(account.available)
    warning = "" if affordable(amount, account.available) else f"Only {left} is available: this will be refused."
    return _preview(_balances(account, -amount), lines, warning)


def of_overdraft(account: CreditAccount, form: OverdraftForm) -> Preview:
    """How far below zero the balance may go."""
    limit: int = form.cleaned_data["limit"]
    free = account.balance - account.held
    changes = (
        Change("Overdraft limit", format_credits(account.overdraft_limit), format_credits(limit)),
        Change("Available", format_credits(free + account.overdraft_limit), format_credits(free + limit)),
        Change("Balance", format_credits(account.balance), format_credits(account.balance)),
    )
    warning = "The account would be below its limit: nothing more can be charged until credits are added."
    return _preview(changes, warning=warning if free + limit < 0 else "")


def of_reversal(entry: CreditEntry, form: ReverseForm) -> Preview:
    """A charge goes back to the grants that paid it, the last one first. Raises `UnprocessableError` for too much."""
    wanted: int | None = form.cleaned_data["amount"]
    left, free = left_to_reverse(entry)
    if wanted is not None and wanted > left:
        raise UnprocessableError(
            f"{format_credits(wanted)} is more than is left of the charge, {format_credits(left)}."
        )
    amount = left if wanted is None else wanted
    unpaid, payments, returned = payments_of(entry)
    forgiven, parts = reversal_order(amount, unpaid=unpaid, payments=payments, returned=returned)
    lines = [f"{format_credits(forgiven)} that no grant had paid are no longer owed"] if forgiven else []
    grants = CreditGrant.objects.in_bulk([grant_id for grant_id, _ in parts])
    lines += [_back(grants[grant_id], back) for grant_id, back in parts]
    if free and amount == left:
        lines.append(f"{format_credits(free)} free units count as unused again")
    before = -entry.amount - left
    changes = [
        *_balances(entry.account, amount),
        Change(
            "Given back of the charge",
            format_credits(before),
            f"{format_credits(before + amount)} of {format_credits(-entry.amount)}",
        ),
    ]
    return _preview(changes, lines)


def of_voiding(grant: CreditGrant, form: object) -> Preview:
    """What is left of a grant goes, but for what open holds stand on."""
    account = grant.account
    if not grant.is_posted:
        return _preview(_balances(account, 0), [f"{format_credits(grant.amount)} will never begin to count."])
    taken = min(grant.remaining, max(account.balance - account.held, 0))
    kept = grant.remaining - taken
    lines = [f"{format_credits(kept)} that open holds stand on will go when they end."] if kept else []
    left = Change("Left of the grant", format_credits(grant.remaining), format_credits(kept))
    return _preview([*_balances(account, -taken), left], lines)


def of_publication(policy: CreditPolicy, form: object) -> Preview:
    """Another policy comes into force; what it would have charged, where that was computed."""
    now = clock.now()
    current = terms_in_force(policy.product_id, now)
    before = f"Version {current.version}" if current else "None"
    begins = "at once" if policy.effective_from <= now else f"on {policy.effective_from:%-d %B %Y, %H:%M} UTC"
    changes = [Change("Policy in force", before, f"Version {policy.version}, {begins}")]
    lines, found = ["A published version can never be changed."], result_of(policy)
    if found is None:
        warning = f"Nobody knows yet what these prices would have charged. {why_no_result(policy)}"
        return Preview([ChangeGroup("", changes)], lines=lines, warning=warning)
    run, preview = found
    charged, would = format_credits(preview.total.charged), format_credits(preview.total.would_charge)
    changes.append(Change(f"Charges of the 30 days until {run.until:%-d %B, %H:%M} UTC", charged, would))
    groups = [ChangeGroup("", changes)]
    if preview.accounts:
        groups.append(ChangeGroup(affected_title(preview), affected(preview), is_comparison=True))
    return Preview(groups, lines=[headline(preview), *lines], warning=" ".join(warnings(preview)))


def _grant_name(grant: CreditGrant) -> str:
    return f"the {grant.get_grant_type_display().lower()} grant of {format_credits(grant.amount)}"


def _back(grant: CreditGrant, amount: int) -> str:
    ended = grant.expires_at is not None and grant.expires_at <= clock.now()
    end = ". It has expired, so they expire again immediately" if ended else ""
    return f"{format_credits(amount)} to {_grant_name(grant)}{end}"


def _balances(account: CreditAccount, change: int) -> list[Change]:
    available = account.available
    return [
        Change("Balance", format_credits(account.balance), format_credits(account.balance + change)),
        Change("Available", format_credits(available), format_credits(available + change)),
    ]


def _preview(changes: Sequence[Change], lines: Sequence[str] = (), warning: str = "") -> Preview:
    shown = [*lines[:MOST_LINES], "and further grants"] if len(lines) > MOST_LINES else lines
    return Preview([ChangeGroup("", changes)], lines=shown, warning=warning)
