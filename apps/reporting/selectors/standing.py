"""Asks the gate about workspaces, in lists, and holds its answers against the mirror (spec 07: the two lists)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core import clock
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.pieces import in_pieces
from apps.payments.enums import InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.models import ProviderInvoice, ProviderSubscription
from apps.payments.record_steps import facts_of, name_of
from apps.payments.rules.following import followed
from apps.payments.status_sync import describe_invoice, invoices_against, owed_until
from apps.reporting.rules.standing import (
    Contradiction,
    LateInvoice,
    Payment,
    SoldSubscription,
    contradiction_of,
)
from apps.subscriptions.enums import ManagedBy
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles
from apps.tenants.models import Workspace

LIST = 500


@dataclass(frozen=True, slots=True)
class FoundContradiction:
    """A contradiction, and whose it is."""

    workspace_id: WorkspaceId
    organization_id: OrganizationId
    contradiction: Contradiction


def counted_workspaces() -> QuerySet[Workspace]:
    """The workspaces of customers: neither demos nor what a cutover check has made."""
    return Workspace.objects.filter(organization__is_demo=False, organization__is_synthetic=False)


def contradictions_of(organization_id: UUID) -> list[FoundContradiction]:
    """Those of one organization, now."""
    return list(find_contradictions(Workspace.objects.filter(organization=organization_id)))


def find_contradictions(workspaces: QuerySet[Workspace]) -> Iterator[FoundContradiction]:
    """The contradictions of these workspaces, some hundred at a time, with as many statements whatever their number."""
    piece: list[Workspace] = []
    for workspace in in_pieces(workspaces.only("pk", "organization_id"), size=LIST):
        piece.append(workspace)
        if len(piece) == LIST:
            yield from _of_list(piece)
            piece = []
    yield from _of_list(piece)


def _of_list(workspaces: Sequence[Workspace]) -> Iterator[FoundContradiction]:
    if not workspaces:
        return
    now = clock.now()
    decisions = workspace_lifecycles([WorkspaceId(workspace.pk) for workspace in workspaces])
    payments = _payments_of(workspaces, now)
    for workspace in workspaces:
        decision = decisions.get(WorkspaceId(workspace.pk))
        found = contradiction_of(decision, payments[workspace.pk]) if decision else None
        if found is not None:
            yield FoundContradiction(WorkspaceId(workspace.pk), OrganizationId(workspace.organization_id), found)


def _payments_of(workspaces: Sequence[Workspace], now: datetime) -> dict[UUID, Payment]:
    organizations = {workspace.organization_id for workspace in workspaces}
    records = {
        record.workspace_id: record
        for record in WorkspaceSubscription.objects.filter(workspace__in=[workspace.pk for workspace in workspaces])
    }
    sold = _sold_to(workspaces, records)
    late = _late_of(organizations, now)
    return {
        workspace.pk: Payment(
            sold=sold.get(workspace.pk),
            late=late.get(workspace.organization_id, ()),
            is_sold_by_staff=workspace.pk in records and records[workspace.pk].managed_by == ManagedBy.STAFF,
        )
        for workspace in workspaces
    }


def _sold_to(
    workspaces: Sequence[Workspace], records: Mapping[UUID, WorkspaceSubscription]
) -> dict[UUID, SoldSubscription]:
    """The subscription that each workspace follows: of its own, those that its record is tied to, or else of the
    organization those that name no workspace.
    """
    tied = {(row.provider, row.provider_subscription_id): pk for pk, row in records.items() if row.provider}
    named = Q(workspace_id__in=[workspace.pk for workspace in workspaces])
    free = Q(workspace_id__isnull=True, organization__in={workspace.organization_id for workspace in workspaces})
    own: dict[UUID, list[ProviderSubscription]] = defaultdict(list)
    shared: dict[UUID, list[ProviderSubscription]] = defaultdict(list)
    rows = ProviderSubscription.objects.filter(named | free).defer("items", "pricing").order_by("provider", "pk")
    for row in rows:
        place = row.workspace_id or tied.get((row.provider, row.external_id))
        if place is not None:
            own[place].append(row)
        elif row.organization_id is not None:
            shared[row.organization_id].append(row)
    found = {}
    for workspace in workspaces:
        followed_one = _follow(own.get(workspace.pk) or shared.get(workspace.organization_id, []))
        if followed_one is not None:
            found[workspace.pk] = followed_one
    return found


def _follow(rows: Sequence[ProviderSubscription]) -> SoldSubscription | None:
    name = followed(map(facts_of, rows))
    row = next((row for row in rows if name_of(row) == name), None)
    if row is None:
        return None
    status = ProviderSubscriptionStatus(row.status)
    return SoldSubscription(f"{row.provider}:{row.external_id}", status, bool(row.pause_behavior))


def _late_of(organization_ids: set[UUID], now: datetime) -> dict[UUID, tuple[LateInvoice, ...]]:
    """What counts against each organization, the earliest first, and whether its time is over."""
    rows: dict[UUID, list[ProviderInvoice]] = defaultdict(list)
    for row in invoices_against(organization_ids).defer("hosted_invoice_url", "invoice_pdf"):
        if row.organization_id is not None:
            rows[row.organization_id].append(row)
    configs = OrganizationPaymentConfig.objects.filter(organization__in=list(rows))
    ends = {config.organization_id: owed_until(config, rows[config.organization_id]) for config in configs}
    return {
        organization_id: tuple(_late(row, ends.get(organization_id), now) for row in found)
        for organization_id, found in rows.items()
    }


def _late(row: ProviderInvoice, ends_at: datetime | None, now: datetime) -> LateInvoice:
    return LateInvoice(
        record=f"{row.provider}:{row.external_id}",
        words=f"Invoice {describe_invoice(row)} is not paid",
        is_given_up=row.status == InvoiceStatus.UNCOLLECTIBLE,
        is_past_grace=ends_at is not None and ends_at <= now,
    )
