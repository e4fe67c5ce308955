"""How the customer stands: payments and their dates, credits and how long they last, and each workspace."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    badge,
    link,
    list_url,
    moment,
    moment_there,
    page_url,
    record_link,
    title_and_slug,
)
from apps.backoffice.panels import PANEL_ROWS, Fact, Panel, Row
from apps.backoffice.records.connectors import connector_badge
from apps.backoffice.records.credits import describe_forecast, format_credits
from apps.backoffice.records.provider_links import provider_link
from apps.backoffice.staff import may
from apps.backoffice.workspace.labels import lifecycle_badge
from apps.backoffice.workspace.sections.payments import grace_words, payment_badge
from apps.connectors.models import Connector
from apps.connectors.providers.registry import provider_label
from apps.connectors.selectors.connectors import connectors
from apps.core import clock
from apps.core.ids import OrganizationId, WorkspaceId
from apps.credits.selectors.ledger import account_of
from apps.payments.models import ProviderCustomer
from apps.payments.selectors.reviews import has_review
from apps.subscriptions.enums import PendingChangeStatus, Provider
from apps.subscriptions.models import OrganizationPaymentConfig, PendingChange
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles
from apps.subscriptions.selectors.records import payment_config_of
from apps.tenants.models import Organization, Workspace


def payment_facts(request: HttpRequest, organization: Organization) -> list[Fact]:
    """Payment status, the end of a grace period, and the customer at each provider."""
    config = payment_config_of(OrganizationId(organization.pk)) if may(request, "payment_configs.read") else None
    if config is None:
        return []
    facts = [Fact("Payments", payment_badge(config.payment_status), grace_words(organization, config))]
    if config.grace_period_end_at:
        facts.append(Fact("Grace period ends", moment_there(config.grace_period_end_at, organization.time_zone)))
    if may(request, "provider_objects.read"):
        facts.extend(_customers(organization, config))
    return facts


def _customers(organization: Organization, config: OrganizationPaymentConfig) -> list[Fact]:
    bound = {Provider.STRIPE: config.payment_provider_id, Provider.ORB: config.orb_customer_id}
    rows = ProviderCustomer.objects.filter(organization=organization)
    heard = list(rows.values_list("provider", "external_id")[:PANEL_ROWS])
    facts = []
    for provider, key in bound.items():
        others = sorted(external_id for name, external_id in heard if name == provider and external_id != key)
        if key or others:
            hint = f"We have also heard of {', '.join(others)}, which is not the bound one." if others else ""
            facts.append(Fact(f"{provider.label} customer", provider_link(provider, "customer", key), hint))
    return facts


def credit_facts(request: HttpRequest, organization_id: UUID) -> list[Fact]:
    """What is left, and in how many days it runs out."""
    account = account_of(organization_id) if may(request, "credits.read") else None
    if account is None:
        return []
    lasts, pace = describe_forecast(account)
    available = format_credits(account.balance - account.held + account.overdraft_limit)
    return [Fact("Credits available", available), Fact("Credits run out in", lasts, pace)]


def workspaces_panel(request: HttpRequest, organization: Organization) -> Panel:
    """Each workspace with its state, its plan, and what asks for attention."""
    due = PendingChange.objects.filter(
        workspace=OuterRef("pk"), status=PendingChangeStatus.OPEN, due_at__lte=clock.now()
    )
    rows = (
        Workspace.objects.filter(organization=organization)
        .select_related("subscription__plan")
        .annotate(has_due_change=Exists(due), is_asked=has_review())
        .order_by("created_at", "pk")
    )
    found = list(rows[: PANEL_ROWS + 1])
    decisions = workspace_lifecycles(WorkspaceId(row.pk) for row in found)
    shown: list[Row] = []
    for row in found[:PANEL_ROWS]:
        decision = decisions[WorkspaceId(row.pk)]
        is_asked = row.is_asked or decision.needs_review
        shown.append(
            (
                link(page_url(row), title_and_slug(row.name, row.slug)),
                lifecycle_badge(decision.state),
                *_subscription_cells(row),
                _attention(row, is_asked=is_asked),
            )
        )
    return Panel(
        "Workspaces",
        ("Workspace", "State", "Plan", "Until", "Attention"),
        shown,
        empty="No workspace yet. A product creates the first one through the internal API.",
        link=list_url(Workspace, organization=organization.pk),
        has_more=len(found) > PANEL_ROWS,
        icon="workspaces",
    )


def _subscription_cells(row: Workspace) -> tuple[SafeString, SafeString]:
    held = getattr(row, "subscription", None)
    if held is None:
        return NOTHING, NOTHING
    end = held.ended_at or held.trial_ends_at or held.current_period_end
    return title_and_slug(held.plan.name, f"{held.get_state_display()}, by {held.get_managed_by_display()}"), moment(
        end
    )


def _attention(row: Any, *, is_asked: bool) -> SafeString:
    shown = [badge("Needs review", "warn")] if is_asked else []
    if row.has_due_change:
        shown.append(badge("Change is due", "warn"))
    if row.manual_lifecycle_state:
        shown.append(badge("Overlay", "info"))
    return SafeString(" ".join(shown)) if shown else NOTHING


def connectors_panel(organization: Organization) -> Panel:
    """The connectors of all workspaces; those that fail are counted in the heading."""
    rows = connectors().filter(workspace__organization=organization).select_related("workspace")
    found: list[Connector] = list(rows.order_by("-created_at", "id")[: PANEL_ROWS + 1])
    states = Counter(row.status for row in found)
    title = "Connectors" + (f", {states['auto_disabled']} turned off" if states["auto_disabled"] else "")
    return Panel(
        title,
        ("Connector", "Workspace", "Status", "Last success"),
        [
            (
                link(page_url(row), title_and_slug(row.name, provider_label(row.provider))),
                record_link(row.workspace),
                connector_badge(row),
                moment(row.last_success_at),
            )
            for row in found[:PANEL_ROWS]
        ],
        empty="No connectors.",
        link=list_url(Connector, organization=organization.pk),
        has_more=len(found) > PANEL_ROWS,
        icon="cable",
    )
