"""Credits on the pages of a workspace and of its organization: what there is, what expires, what was done (spec 08)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.credits.verbs import BACK
from apps.backoffice.display import list_url, page_url_of
from apps.backoffice.records.credits import account_facts, entries_panel
from apps.backoffice.staff import context_of, may
from apps.backoffice.workspace.section import Callout, OfferedVerb, Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.credits.models import CreditAccount, CreditGrant, Hold
from apps.credits.selectors.ledger import account_of
from apps.credits.services import account_settle
from apps.tenants.models import Organization

# The verbs of the account's page, with the operation that gates each.
_VERBS = (
    ("grant_credits", "Grant credits", "add_card", "credits.grant", False, False),
    ("adjust_credits", "Adjust", "remove_circle", "credits.adjust", True, False),
    ("set_overdraft", "Set overdraft limit", "trending_down", "credits.adjust", False, True),
)
REVERSING = "To reverse a charge, open its entry."


def credits_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The account of the workspace's organization."""
    return credits_of(request, subject.organization, about_others=True)


def credits_of(request: HttpRequest, organization: Organization, *, about_others: bool = False) -> Section:
    """Balance, held, available, next expiries and the last entries. What has come due by now is posted first."""
    account_settle(context_of(request), account_id=organization.pk)
    account = account_of(organization.pk)
    if account is None:
        return Section("Credits", "account_balance_wallet", empty="No account: it is made with the organization.")
    whose = f"Of {organization.name}: all of its workspaces spend from it. " if about_others else ""
    return Section(
        title="Credits",
        icon="account_balance_wallet",
        about=f"{whose}{REVERSING}",
        facts=account_facts(account),
        callouts=_callouts(account),
        panel=entries_panel(organization.pk),
        links=[
            ("Account", page_url_of(CreditAccount, organization.pk)),
            ("Grants", list_url(CreditGrant, organization=organization.pk)),
            ("Holds", list_url(Hold, organization=organization.pk)),
        ],
        is_wide=True,
    )


def offered_credit_verbs(request: HttpRequest, subject: WorkspaceSubject) -> list[OfferedVerb]:
    """The account's verbs, which lead back to the workspace."""
    return offered_verbs_of(request, subject.organization, f"workspace:{subject.workspace_id}")


def offered_verbs_of(request: HttpRequest, organization: Organization, back: str) -> list[OfferedVerb]:
    """The account's verbs that whoever asks may use."""
    return [
        OfferedVerb(
            name=name,
            label=label,
            icon=icon,
            url=f"{reverse(f'admin:credits_creditaccount_{name}', args=(organization.pk,))}?{urlencode({BACK: back})}",
            is_dangerous=is_dangerous,
            is_rare=is_rare,
        )
        for name, label, icon, operation, is_dangerous, is_rare in _VERBS
        if may(request, operation)
    ]


def _callouts(account: CreditAccount) -> list[Callout]:
    if account.balance - account.held + account.overdraft_limit > 0:
        return []
    text = "Nothing is available: consumption is refused until credits come in."
    return [Callout(text, icon="money_off", verbs=("grant_credits",))]
