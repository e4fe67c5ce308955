"""The sidebar, and other settings of the theme that depend on the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from apps.backoffice.staff import may
from apps.core import clock


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
