"""The sidebar, the way back from a dialog, and other settings of the theme that depend on the request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from apps.backoffice.cells import BACK
from apps.backoffice.staff import may
from apps.core import clock
from apps.tenants.models import Workspace


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of the sidebar, shown to users who may do `operation`."""

    title: str
    icon: str
    route: str
    operation: str


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Overview", "dashboard", "index", "backoffice.read"),)),
    (
        "Customers",
        (
            Entry("Organizations", "domain", "tenants_organization_changelist", "organizations.read"),
            Entry("Workspaces", "workspaces", "tenants_workspace_changelist", "workspaces.read"),
            Entry("Plans", "sell", "subscriptions_plan_changelist", "plans.read"),
            Entry("Connectors", "cable", "connectors_connector_changelist", "connectors.read"),
            Entry("Users", "person", "tenants_user_changelist", "users.read"),
            Entry("Memberships", "group", "tenants_membership_changelist", "members.read"),
            Entry("Notes", "sticky_note_2", "subscriptions_workspacenote_changelist", "notes.read"),
        ),
    ),
    (
        "Credits",
        (
            Entry("Accounts", "account_balance_wallet", "credits_creditaccount_changelist", "credits.read"),
            Entry("Entries", "receipt_long", "credits_creditentry_changelist", "credits.read"),
            Entry("Grants", "savings", "credits_creditgrant_changelist", "credits.read"),
            Entry("Holds", "lock_clock", "credits_hold_changelist", "credits.read"),
            Entry("Uncovered charges", "money_off", "credits_uncoveredcharge_changelist", "credits.read"),
            Entry("Policies", "price_change", "credits_creditpolicy_changelist", "credit_policies.read"),
            Entry("Disagreements", "compare_arrows", "credits_shadowdisagreement_changelist", "credits.read"),
        ),
    ),
    (
        "Products",
        (
            Entry("Products", "deployed_code", "tenants_product_changelist", "products.read"),
            Entry("Tokens", "key", "tenants_servicetoken_changelist", "tokens.read"),
            Entry("Reconciliation", "sync_alt", "tenants_reconciliationrun_changelist", "reconciliation.read"),
            Entry("Cutover checks", "checklist", "tenants_cutoverrun_changelist", "products.read"),
            Entry("Explained differences", "verified", "credits_differencemark_changelist", "credits.read"),
            Entry("Imports of balances", "upload_file", "credits_balanceimport_changelist", "credits.read"),
            Entry("Membership drift", "rule", "tenants_membershipdrift_changelist", "reconciliation.read"),
        ),
    ),
    (
        "Payments",
        (
            Entry("Invoices", "receipt_long", "payments_providerinvoice_changelist", "provider_objects.read"),
            Entry("Provider customers", "badge", "payments_providercustomer_changelist", "provider_objects.read"),
            Entry("Disputes", "gavel", "payments_providerdispute_changelist", "provider_objects.read"),
            Entry("Usage not at Orb", "difference", "payments_usagefault_changelist", "usage_faults.read"),
            Entry("Funnel", "filter_alt", "funnel", "billing_events.read"),
        ),
    ),
    (
        "Reports",
        (
            Entry("Reports", "summarize", "reports", "books.read"),
            Entry("Revenue", "monitoring", "revenue", "revenue.read"),
            Entry("Paid against allowed", "difference", "reporting_paymentcontradiction_changelist", "books.read"),
        ),
    ),
    (
        "Operations",
        (
            Entry("Report by mail", "mail", "report_mail", "daily_reports.subscribe"),
            Entry("Inbox", "inbox", "payments_webhookevent_changelist", "webhook_events.read"),
            Entry("Events to decide", "rule", "kept_events", "webhook_events.read"),
            Entry("Outbox", "outbox", "core_outboxitem_changelist", "outbox.read"),
            Entry("Jobs", "schedule", "jobs", "jobs.read"),
            Entry("Job runs", "event_repeat", "core_jobrun_changelist", "jobs.read"),
            Entry("Sync runs", "sync", "connectors_syncrun_changelist", "connectors.read"),
        ),
    ),
    (
        "Evidence",
        (
            Entry("Audit log", "history_edu", "core_auditentry_changelist", "audit.read"),
            Entry("Impersonations", "visibility", "tenants_impersonation_changelist", "audit.read"),
            Entry("Decisions", "gavel", "subscriptions_decisionreceipt_changelist", "decisions.read"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with the links that the user may open; empty groups are left out."""
    groups = [
        (title, [_item(entry) for entry in entries if may(request, entry.operation)]) for title, entries in GROUPS
    ]
    return [{"title": title, "separator": bool(title), "items": items} for title, items in groups if items]


def _item(entry: Entry) -> dict[str, Any]:
    return {"title": entry.title, "icon": entry.icon, "link": reverse(f"admin:{entry.route}")}


def stylesheet(request: HttpRequest) -> str:
    return static("backoffice/staff.css")


def script(request: HttpRequest) -> str:
    return static("backoffice/dialog.js")


def favicon(request: HttpRequest) -> str:
    return static("backoffice/mark.svg")


def environment_label(request: HttpRequest) -> list[str]:
    """The name of the environment for the badge in the header, red in production; or what the test clock says."""
    if clock.ahead():
        return [f"Test clock: {clock.now():%-d %b %Y, %H:%M} UTC", "warning"]
    name = str(settings.ENVIRONMENT)
    return [name.capitalize(), "danger" if settings.IS_PRODUCTION else "info"]


def return_url(request: HttpRequest, record: Model, usual: str) -> str:
    """Where a dialog leads: to the page that it was opened from, if that shows the record's organization."""
    # The address says a kind and a key, never a URL: else a link could lead staff to somebody else's page.
    kind, _, key = request.GET.get(BACK, "").partition(":")
    organization_id = getattr(record, "organization_id", None) or getattr(record, "account_id", None)
    if organization_id is None:
        return usual
    if kind == "organization":
        return reverse("admin:tenants_organization_change", args=(organization_id,))
    if kind != "workspace":
        return usual
    try:
        found = Workspace.objects.filter(pk=uuid.UUID(key), organization_id=organization_id).first()
    except ValueError:
        found = None
    return reverse("admin:tenants_workspace_change", args=(found.pk,)) if found else usual
