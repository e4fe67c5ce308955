"""The results of the search: one hit a customer, with its workspaces and their states, and the records beside it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from apps.backoffice.cells import page_url_of
from apps.backoffice.search.matches import SOURCES, Match, find_matches
from apps.backoffice.search.terms import Term
from apps.backoffice.staff import may
from apps.core.ids import WorkspaceId
from apps.credits.models import CreditAccount
from apps.payments.models import ProviderCustomer, ProviderDispute, ProviderInvoice
from apps.subscriptions.messages import STATE_WORDS
from apps.subscriptions.models import DecisionReceipt, WorkspaceNote
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles
from apps.tenants.models import Membership, Organization, User, Workspace

# Kinds whose rows lead to their customer; others are searched by their own pages.
OF_CUSTOMERS: frozenset[type[Model]] = frozenset(
    {
        Organization,
        Workspace,
        User,
        Membership,
        CreditAccount,
        DecisionReceipt,
        ProviderCustomer,
        ProviderInvoice,
        ProviderDispute,
        WorkspaceNote,
    }
)
MOST_CUSTOMERS = 8
MOST_RECORDS = 8
MOST_WORKSPACES = 3


def search_customers(request: HttpRequest, term: Term) -> list[SearchResult]:
    """Customers first, each once, then the very records that matched."""
    matches = find_matches([source for source in SOURCES if may(request, source.operation)], term)
    why: dict[UUID, str] = {}
    for match in matches:
        if match.organization_id is not None and (match.organization_id in why or len(why) < MOST_CUSTOMERS):
            why.setdefault(match.organization_id, match.why)
    names = dict(Organization.objects.filter(pk__in=list(why)).values_list("pk", "name"))
    customers = _customers(request, why, names) if may(request, "organizations.read") else []
    return [*customers, *_records(matches, names)]


def _customers(request: HttpRequest, why: dict[UUID, str], names: dict[UUID, str]) -> list[SearchResult]:
    states = describe_workspaces(why) if may(request, "workspaces.read") else {}
    return [
        SearchResult(
            names[organization_id],
            f"{states.get(organization_id, 'no workspace')} · by {reason}",
            page_url_of(Organization, organization_id),
            "domain",
        )
        for organization_id, reason in why.items()
        if organization_id in names
    ]


def _records(matches: Iterable[Match], names: dict[UUID, str]) -> list[SearchResult]:
    shown: dict[str, SearchResult] = {}
    for match in matches:
        if match.url and match.url not in shown and len(shown) < MOST_RECORDS:
            of = names.get(match.organization_id, "") if match.organization_id else ""
            title = f"{match.why[:1].upper()}{match.why[1:]}"
            shown[match.url] = SearchResult(title, of or "No customer", match.url, match.icon)
    return list(shown.values())


def describe_workspaces(organization_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The workspaces of each organization with their states, as one line; a few, and how many more."""
    keys = list(organization_ids)
    rows: dict[UUID, list[Workspace]] = {key: [] for key in keys}
    counts: dict[UUID, int] = dict.fromkeys(keys, 0)
    for key in keys:
        found = list(Workspace.objects.filter(organization_id=key).order_by("created_at", "pk")[: MOST_WORKSPACES + 1])
        counts[key] = len(found)
        rows[key] = found[:MOST_WORKSPACES]
    states = workspace_lifecycles(WorkspaceId(row.pk) for found in rows.values() for row in found)
    lines: dict[UUID, str] = {}
    for key in keys:
        parts = [f"{row.name}: {STATE_WORDS[states[WorkspaceId(row.pk)].state].label}" for row in rows[key]]
        if parts:
            lines[key] = ", ".join(parts) + (" and more" if counts[key] > MOST_WORKSPACES else "")
    return lines
