"""Verbs of credits: grant, adjust, overdraft, reverse a charge, publish prices (spec 05). A row each, with its service.

Each form carries its idempotency key from the moment it is opened. The service keeps the key with its answer, so that
the second click of a double click, the reload and the lost answer are told that it was done before.
"""

from __future__ import annotations

from apps.backoffice.credits import effects
from apps.backoffice.credits.alerts_verb import ALERTS_OPERATION, AlertsForm, change_alerts, stored_alerts
from apps.backoffice.credits.forms import AdjustForm, GrantForm, OverdraftForm, PublishForm, ReverseForm
from apps.backoffice.credits.stop_verb import CreditStopForm, change_credit_stop, stored_credit_stop
from apps.backoffice.records.credits import format_credits
from apps.backoffice.verbs import DONE_BEFORE, KeyedForm, ReasonForm, Verb
from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.credits.contracts import AccountRef
from apps.credits.enums import CHARGES, AccountType, EntryKind, GrantType, PolicyStatus
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, CreditPolicy
from apps.credits.selectors.ledger import left_to_reverse
from apps.credits.services import (
    credit_adjust,
    credit_grant,
    credit_policy_publish,
    entry_reverse,
    overdraft_set,
    price_preview_request,
)
from apps.credits.services.grants import GrantParams
from apps.credits.services.voids import grant_void
from apps.payments.services.credit_stops import CREDIT_STOP_OPERATION
from apps.tenants.models import Organization

GRANT_OPERATION, ADJUST_OPERATION, REVERSE_OPERATION = "credits.grant", "credits.adjust", "credits.reverse"
VOID_OPERATION = "grants.void"
POLICY_OPERATION = "credit_policies.manage"


def grant_credits(context: ExecutionContext, account: CreditAccount, form: GrantForm) -> str:
    typed = form.cleaned_data
    wish = GrantParams(
        grant_type=GrantType(typed["grant_type"]),
        amount=typed["amount"],
        priority=typed["priority"],
        effective_at=form.effective_at(),
        expires_at=form.expires_at(),
        note=typed["reason"],
    )
    ref = AccountRef(AccountType.ORGANIZATION, account.pk)
    answer = credit_grant(context, key=typed["key"], account=ref, params=wish)
    return DONE_BEFORE if answer.replayed else f"{format_credits(wish.amount)} credits were granted."


def adjust_credits(context: ExecutionContext, account: CreditAccount, form: AdjustForm) -> str:
    typed = form.cleaned_data
    answer = credit_adjust(
        context, account_id=account.pk, key=typed["key"], amount=typed["amount"], reason=typed["reason"]
    )
    return DONE_BEFORE if answer.replayed else f"{format_credits(typed['amount'])} credits were taken."


def set_overdraft(context: ExecutionContext, account: CreditAccount, form: OverdraftForm) -> str:
    """The same limit again changes nothing, so this one needs no key."""
    limit = form.cleaned_data["limit"]
    if account.overdraft_limit == limit:
        return f"The limit is already {format_credits(limit)}. Nothing was changed."
    overdraft_set(context, account_id=account.pk, limit=limit, reason=form.cleaned_data["reason"])
    return f"The balance may now go down to {format_credits(-limit)}."


def reverse_entry(context: ExecutionContext, entry: CreditEntry, form: ReverseForm) -> str:
    typed = form.cleaned_data
    answer = entry_reverse(context, entry_id=entry.pk, key=typed["key"], reason=typed["reason"], amount=typed["amount"])
    if answer.replayed:
        return DONE_BEFORE
    given, lapsed, free = (int(str(answer.body[name])) for name in ("reversed", "lapsed", "free_quantity_returned"))
    also = f" {format_credits(lapsed)} of them lapsed at once, as their grant has ended." if lapsed else ""
    units = f" {format_credits(free)} free units count as unused again." if free else ""
    return f"{format_credits(given)} credits were given back.{also}{units}"


def void_grant(context: ExecutionContext, grant: CreditGrant, form: KeyedForm) -> str:
    typed = form.cleaned_data
    answer = grant_void(context, grant_id=grant.pk, key=typed["key"], reason=typed["reason"])
    return DONE_BEFORE if answer.replayed else f"{format_credits(int(str(answer.body['voided'])))} credits were taken."


def preview_prices(context: ExecutionContext, policy: CreditPolicy, form: ReasonForm) -> object:
    return price_preview_request(context, policy_id=policy.pk, reason=form.cleaned_data["reason"])


def publish_policy(context: ExecutionContext, policy: CreditPolicy, form: PublishForm) -> str:
    """Publish the draft that was looked at: an edited draft is another record."""
    typed = form.cleaned_data
    published = credit_policy_publish(
        context, policy_id=policy.pk, reason=typed["reason"], accept_outcomes=typed["accept_outcomes"]
    )
    return f"Version {published.version} of {policy.product.name} is published."


def _organization_of(account: CreditAccount, form: object) -> Organization:
    return account.organization


def _eyebrow(account: CreditAccount) -> str:
    return f"Credits of {account.organization.name}"


def _reverse_refusal(entry: CreditEntry) -> str:
    if EntryKind(entry.kind) not in CHARGES or (entry.amount == 0 and entry.free_quantity == 0):
        return "This entry charged nothing, so there is nothing to give back."
    left, free = left_to_reverse(entry)
    return "This charge was already given back." if left == 0 and free == 0 else ""


def _void_refusal(grant: CreditGrant) -> str:
    if grant.voided_at is not None:
        return "This grant was already voided."
    return "Nothing is left of this grant." if grant.is_posted and grant.remaining == 0 else ""


ACCOUNT_VERBS = (
    Verb(
        name="grant_credits",
        label="Grant credits",
        description="Gives credits to the organization, which may spend them at once.",
        submit="Grant",
        operation=GRANT_OPERATION,
        icon="add_card",
        form_class=GrantForm,
        effect=effects.of_grant,
        run=grant_credits,
        organization_of=_organization_of,
        eyebrow=_eyebrow,
    ),
    Verb(
        name="adjust_credits",
        label="Take credits",
        description="Takes credits away. To undo a charge, reverse its entry.",
        operation=ADJUST_OPERATION,
        icon="remove_circle",
        form_class=AdjustForm,
        effect=effects.of_adjustment,
        run=adjust_credits,
        organization_of=_organization_of,
        eyebrow=_eyebrow,
        is_dangerous=True,
    ),
    Verb(
        name="set_overdraft",
        label="Set overdraft limit",
        description="How far below zero the balance may go before consumption is refused.",
        submit="Set the limit",
        operation=ADJUST_OPERATION,
        icon="trending_down",
        form_class=OverdraftForm,
        initial=lambda account: {"limit": format_micro(account.overdraft_limit)},
        effect=effects.of_overdraft,
        run=set_overdraft,
        organization_of=_organization_of,
        eyebrow=_eyebrow,
        is_rare=True,
    ),
    Verb(
        name="balance_alerts",
        label="Set balance alerts",
        description="When the organization is told that its credits run low, and who is. Its admins may change it too.",
        submit="Save",
        operation=ALERTS_OPERATION,
        icon="notifications",
        form_class=AlertsForm,
        initial=stored_alerts,
        run=change_alerts,
        organization_of=_organization_of,
        eyebrow=_eyebrow,
        is_rare=True,
    ),
    Verb(
        name="stop_without_credits",
        label="Stop connectors without credits",
        description="Whether connectors stop while there are no credits, from now on. Admins may change it too.",
        submit="Save",
        operation=CREDIT_STOP_OPERATION,
        icon="power_off",
        form_class=CreditStopForm,
        initial=stored_credit_stop,
        run=change_credit_stop,
        organization_of=_organization_of,
        eyebrow=_eyebrow,
        is_rare=True,
    ),
)
ENTRY_VERBS = (
    Verb(
        name="reverse_entry",
        label="Reverse charge",
        description="Gives the charge back to the grants that paid it, in one or more parts.",
        submit="Reverse",
        operation=REVERSE_OPERATION,
        icon="undo",
        form_class=ReverseForm,
        effect=effects.of_reversal,
        refusal=_reverse_refusal,
        run=reverse_entry,
        organization_of=lambda entry, form: entry.account.organization,
        eyebrow=lambda entry: f"Line {entry.sequence:,} of {entry.account.organization.name}",
        is_dangerous=True,
    ),
)
GRANT_VERBS = (
    Verb(
        name="void_grant",
        label="Void grant",
        description="Ends the grant and takes what is left of it. What it paid stays paid.",
        submit="Void",
        operation=VOID_OPERATION,
        icon="block",
        form_class=KeyedForm,
        effect=effects.of_voiding,
        refusal=_void_refusal,
        run=void_grant,
        organization_of=lambda grant, form: grant.account.organization,
        eyebrow=lambda grant: f"Grant of {grant.account.organization.name}",
        is_dangerous=True,
    ),
)
POLICY_VERBS = (
    Verb(
        name="preview_prices",
        label="Preview prices",
        description="Computes what the draft would have charged for the uses of the last 30 days. Nothing changes.",
        submit="Compute",
        operation=POLICY_OPERATION,
        icon="calculate",
        refusal=lambda policy: "" if policy.status == PolicyStatus.DRAFT else "Only a draft has a price preview.",
        run=preview_prices,
        done="It is being computed. The page shows how far it is.",
        eyebrow=lambda policy: f"{policy.product.name}, version {policy.version}",
    ),
    Verb(
        name="publish",
        label="Publish",
        description="Published prices can't be changed. To correct a mistake, publish a new version.",
        submit="Publish for good",
        operation=POLICY_OPERATION,
        icon="publish",
        form_class=PublishForm,
        effect=effects.of_publication,
        refusal=lambda policy: "" if policy.status == PolicyStatus.DRAFT else "Only a draft can be published.",
        run=publish_policy,
        eyebrow=lambda policy: f"{policy.product.name}, version {policy.version}",
        is_dangerous=True,
    ),
)
