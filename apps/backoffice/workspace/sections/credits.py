"""Credits on the pages of a workspace and of its organization: what there is, what expires, what was done (spec 08)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.cells import BACK, list_url, page_url_of
from apps.backoffice.credits.verbs import ACCOUNT_VERBS
from apps.backoffice.records.credits import account_facts
from apps.backoffice.records.entries import entries_panel
from apps.backoffice.staff import context_of
from apps.backoffice.verbs import Button, Verb, buttons
from apps.backoffice.workspace.section import Callout, Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, Hold
from apps.credits.selectors.ledger import account_of
from apps.credits.services import account_apply_due
from apps.tenants.models import Organization

REVERSING = "To reverse a charge, open its entry."


def credits_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The account of the workspace's organization."""
    back = f"workspace:{subject.workspace_id}"
    return credits_of(request, subject.organization, about_others=True, back=back)


def credits_of(
    request: HttpRequest, organization: Organization, *, about_others: bool = False, back: str = ""
) -> Section:
    """Balance, held, available, next expiries and the last entries. What has come due by now is posted first.

    Dialogs on the pages of its entries lead to the page that `back` names; the organization's without.
    """
    account_apply_due(context_of(request), account_id=organization.pk)
    account = account_of(organization.pk)
    if account is None:
        return Section("Credits", "account_balance_wallet", empty="No account. It is created with the organization.")
    whose = f"All workspaces of {organization.name} spend from this account. " if about_others else ""
    return Section(
        title="Credits",
        icon="account_balance_wallet",
        about=f"{whose}{REVERSING}",
        facts=account_facts(account),
        callouts=_callouts(account),
        panel=entries_panel(organization.pk, back or f"organization:{organization.pk}"),
        links=[
            ("Entries", list_url(CreditEntry, organization=organization.pk)),
            ("Account", page_url_of(CreditAccount, organization.pk)),
            ("Grants", list_url(CreditGrant, organization=organization.pk)),
            ("Holds", list_url(Hold, organization=organization.pk)),
        ],
        is_wide=True,
    )


def account_buttons(request: HttpRequest, subject: WorkspaceSubject) -> list[Button]:
    """The account's verbs, which lead back to the workspace."""
    return account_buttons_of(request, subject.organization, f"workspace:{subject.workspace_id}")


def account_buttons_of(request: HttpRequest, organization: Organization, back: str) -> list[Button]:
    """The account's verbs that whoever asks may use; their dialogs lead to the page that `back` names."""
    query = urlencode({BACK: back})

    def url_of(verb: Verb) -> str:
        return f"{reverse(f'admin:credits_creditaccount_{verb.name}', args=(organization.pk,))}?{query}"

    return buttons(request, ACCOUNT_VERBS, None, url_of)


def _callouts(account: CreditAccount) -> list[Callout]:
    if account.balance - account.held + account.overdraft_limit > 0:
        return []
    text = "No credits available. Consumption is refused until credits are granted."
    return [Callout(text, icon="money_off", verbs=("grant_credits",))]
