"""Credit accounts, with the verbs that change them (spec 05)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.actions import Dialog
from apps.backoffice.credits import effects
from apps.backoffice.credits.forms import AdjustForm, GrantForm, OverdraftForm
from apps.backoffice.credits.verbs import DONE_BEFORE, credit_verb
from apps.backoffice.display import badge, title_and_slug
from apps.backoffice.filters import flag_filter, organization_filter
from apps.backoffice.pages.expire_on_read import ExpireOnReadAdmin
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.credits import (
    account_facts,
    entries_panel,
    grants_panel,
    holds_panel,
    spelled,
    typed_amount,
    uncovered_panel,
)
from apps.backoffice.staff import acting_context
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditAccount
from apps.credits.services import credit_adjust, credit_grant, overdraft_set
from apps.credits.services.grants import GrantWish

GRANT_OPERATION, ADJUST_OPERATION = "credits.grant", "credits.adjust"


def _of(account: CreditAccount) -> str:
    return f"Credits of {account.organization.name}"


class CreditAccountAdmin(ExpireOnReadAdmin[CreditAccount]):
    """One account for each organization, created with it."""

    operation = "credits.read"
    icon = "account_balance_wallet"
    heading = "Credit accounts"
    about = (
        "One account for each organization. The balance is the sum of its entries. Available is the balance "
        "minus held credits, plus the overdraft limit."
    )
    ordering = ("organization__slug",)
    list_display = ("named", "available", "balance_cell", "held_cell", "overdraft", "attention")
    list_filter = (
        organization_filter("organization_id"),
        flag_filter("negative", "below zero", Q(balance__lt=0)),
        flag_filter("exhausted", "nothing available", Q(balance__lte=F("held") - F("overdraft_limit"))),
        flag_filter("demo", "of a demo organization", Q(organization__is_demo=True)),
    )
    search_prefixes = ("organization__slug",)
    search_names = ("organization__name",)
    search_help_text = "Id, slug or beginning of the organization's name"
    actions_detail: ClassVar[tuple[str, ...]] = ("grant_credits", "adjust_credits", "set_overdraft")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditAccount]:
        return super().get_queryset(request).select_related("organization")

    @display(description="Organization")
    def named(self, record: CreditAccount) -> SafeString:
        return title_and_slug(record.organization.name, record.organization.slug)

    @display(description="Available")
    def available(self, record: CreditAccount) -> str:
        return spelled(record.balance - record.held + record.overdraft_limit)

    @display(description="Balance")
    def balance_cell(self, record: CreditAccount) -> str:
        return spelled(record.balance)

    @display(description="Held")
    def held_cell(self, record: CreditAccount) -> str:
        return spelled(record.held)

    @display(description="Overdraft limit")
    def overdraft(self, record: CreditAccount) -> str:
        return spelled(record.overdraft_limit)

    @display(description="Standing")
    def attention(self, record: CreditAccount) -> SafeString:
        return SafeString(" ".join(self.badges(record)))

    def title_of(self, record: CreditAccount) -> str:
        return _of(record)

    def badges(self, record: CreditAccount) -> list[Any]:
        shown = [badge("Demo", "info")] if record.organization.is_demo else []
        if record.balance < 0:
            return [badge("Below zero", "bad"), *shown]
        if record.balance - record.held + record.overdraft_limit <= 0:
            return [badge("Nothing available", "warn"), *shown]
        return [badge("Can spend", "good"), *shown]

    def facts(self, record: CreditAccount) -> list[Fact]:
        return account_facts(record)

    def panels(self, request: HttpRequest, record: CreditAccount) -> list[Panel]:
        return [
            grants_panel(record.pk),
            entries_panel(record.pk),
            holds_panel(record.pk),
            *uncovered_panel(record.pk),
            *changes_of_target(request, "credit_account", record.pk),
        ]

    # --- Verbs -----------------------------------------------------------------------------------------------------
    @credit_verb(
        operation=GRANT_OPERATION,
        dialog=Dialog("Grant credits", "Gives credits to the organization, which may spend them at once.", "Grant"),
        form_class=GrantForm,
        icon="add_card",
        effect=lambda record, form: effects.of_grant(
            record, form.cleaned_data["amount"], form.effective_at(), form.expires_at()
        ),
        eyebrow=_of,
    )
    def grant_credits(self, request: HttpRequest, record: CreditAccount, form: GrantForm) -> str:
        """Give credits, once for the form's key."""
        typed = form.cleaned_data
        wish = GrantWish(
            grant_type=GrantType(typed["grant_type"]),
            amount=typed["amount"],
            priority=typed["priority"],
            effective_at=form.effective_at(),
            expires_at=form.expires_at(),
            note=typed["reason"],
        )
        context = acting_context(request, GRANT_OPERATION, record.organization)
        account = AccountRef(AccountType.ORGANIZATION, record.pk)
        answer = credit_grant(context, key=typed["key"], account=account, wish=wish)
        return DONE_BEFORE if answer.replayed else f"{spelled(wish.amount)} credits were granted."

    @credit_verb(
        operation=ADJUST_OPERATION,
        dialog=Dialog(
            "Adjust: take credits",
            "Takes credits away for a reason that the tenant can read too. To undo a charge, reverse its entry.",
            "Take credits",
            is_dangerous=True,
        ),
        form_class=AdjustForm,
        icon="remove_circle",
        effect=lambda record, form: effects.of_adjustment(record, form.cleaned_data["amount"]),
        eyebrow=_of,
    )
    def adjust_credits(self, request: HttpRequest, record: CreditAccount, form: AdjustForm) -> str:
        """Take credits, once for the form's key."""
        typed = form.cleaned_data
        context = acting_context(request, ADJUST_OPERATION, record.organization)
        answer = credit_adjust(
            context, account_id=record.pk, key=typed["key"], amount=typed["amount"], reason=typed["reason"]
        )
        return DONE_BEFORE if answer.replayed else f"{spelled(typed['amount'])} credits were taken."

    @credit_verb(
        operation=ADJUST_OPERATION,
        dialog=Dialog(
            "Set overdraft limit",
            "How far below zero the balance may go before consumption is refused.",
            "Set the limit",
        ),
        form_class=OverdraftForm,
        icon="trending_down",
        effect=lambda record, form: effects.of_overdraft(record, form.cleaned_data["limit"]),
        eyebrow=_of,
        initial=lambda record: {"limit": typed_amount(record.overdraft_limit)},
    )
    def set_overdraft(self, request: HttpRequest, record: CreditAccount, form: OverdraftForm) -> str:
        """Let the balance go so far below zero; the same limit again changes nothing."""
        limit = form.cleaned_data["limit"]
        context = acting_context(request, ADJUST_OPERATION, record.organization)
        if record.overdraft_limit == limit:
            return f"The limit was {spelled(limit)} already. Nothing was changed."
        overdraft_set(context, account_id=record.pk, limit=limit, reason=form.cleaned_data["reason"])
        return f"The balance may now go down to {spelled(-limit)}."
