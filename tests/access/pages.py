"""The billing pages of a workspace, as the URL configuration has them and as they are declared."""

from __future__ import annotations

from uuid import UUID

from tests.access.routes import Route, all_routes
from tests.access.world import Tenant

PREFIX = "billing/<slug:workspace_slug>/"
# Page -> method -> (operation, the least role, the status of success). A page that is missing here fails the build.
DECLARED_PAGES: dict[str, dict[str, tuple[str, str, int]]] = {
    "billing-workspace": {"GET": ("workspaces.read", "viewer", 302)},
    "billing-overview": {"GET": ("overview.read", "viewer", 200)},
    "billing-help": {"GET": ("workspaces.read", "viewer", 200)},
    "billing-members": {"GET": ("members.read", "viewer", 200), "POST": ("member.invite", "admin", 302)},
    "billing-member-role": {"POST": ("members.change", "admin", 302)},
    "billing-member-remove": {"POST": ("members.change", "admin", 302)},
    "billing-member-invitation": {"POST": ("member.invite", "admin", 302)},
    "billing-credits": {"GET": ("credits.read", "viewer", 200)},
    "billing-credits-csv": {"GET": ("credits.read", "viewer", 200)},
    "billing-usage": {"GET": ("usage.read", "viewer", 200)},
    "billing-usage-csv": {"GET": ("usage.read", "viewer", 200)},
    # Nothing was reported yet: the caller is told so on the calendar.
    "billing-daily-reports": {"GET": ("daily_reports.read", "viewer", 200)},
    "billing-daily-reports-csv": {"GET": ("daily_reports.read", "viewer", 302)},
    "billing-daily-reports-xlsx": {"GET": ("daily_reports.read", "viewer", 302)},
    "billing-report-recipients": {
        "GET": ("daily_reports.recipients", "admin", 200),
        "POST": ("daily_reports.recipients", "admin", 302),
    },
    "billing-balance-alerts": {
        "GET": ("balance_alerts.change", "admin", 200),
        "POST": ("balance_alerts.change", "admin", 302),
    },
    "billing-invoices": {"GET": ("invoices.read", "viewer", 200)},
    "billing-checkout": {"POST": ("checkout.start", "owner", 302)},
    "billing-portal": {"POST": ("checkout.start", "owner", 302)},
    "billing-settings": {"GET": ("settings.read", "viewer", 200), "POST": ("settings.change", "admin", 302)},
    "billing-notices": {"GET": ("notices.change", "admin", 200), "POST": ("notices.change", "admin", 302)},
    "billing-settings-email": {"POST": ("billing_email.change", "owner", 302)},
    "billing-credit-stop": {"GET": ("settings.read", "viewer", 200), "POST": ("credit_stop.change", "admin", 302)},
    "billing-connectors": {"GET": ("connectors.read", "viewer", 200)},
    "billing-connector-new": {"GET": ("connector.edit", "admin", 200), "POST": ("connector.edit", "admin", 302)},
    "billing-connector": {"GET": ("connectors.read", "viewer", 200)},
    "billing-connector-sync": {"POST": ("connector.sync", "admin", 302)},
    # No run is active there: the caller is told so on the page.
    "billing-connector-cancel": {"POST": ("connector.sync", "admin", 302)},
    "billing-connector-enable": {"POST": ("connector.edit", "admin", 302)},
    "billing-connector-disable": {"POST": ("connectors.disable", "admin", 302)},
    # The form without a name.
    "billing-connector-edit": {"GET": ("connector.edit", "admin", 200), "POST": ("connector.edit", "admin", 422)},
    "billing-connector-remove": {"POST": ("connectors.disable", "admin", 302)},
    "billing-connector-test": {"GET": ("connector.edit", "admin", 200), "POST": ("connector.edit", "admin", 200)},
    # Nobody is asked about a month: the caller is told so on the page.
    "billing-connector-month": {"POST": ("connector.sync", "admin", 302)},
    # The provider of the table's connectors takes no key: the caller got as far as that.
    "billing-connector-key": {
        "GET": ("connector.credential", "admin", 200),
        "POST": ("connector.credential", "admin", 422),
    },
    "billing-records": {"GET": ("connectors.read", "viewer", 200)},
    "billing-records-csv": {"GET": ("report.export", "viewer", 200)},
    "billing-automation": {"GET": ("connectors.read", "viewer", 200), "POST": ("jobs.billing_sync", "admin", 302)},
}
# What a form that changes something sends.
BODIES: dict[str, dict[str, str]] = {
    "billing-report-recipients": {"email": "reports@elsewhere.example"},
    "billing-balance-alerts": {"percent": "20", "credits": "0 500", "days": "14", "audience": "admins"},
    "billing-settings": {"time_zone": "Europe/Lisbon"},
    "billing-settings-email": {"billing_email": "bills@elsewhere.example"},
    "billing-credit-stop": {"is_on": "yes"},
    "billing-notices": {"kind": "payments", "audience": "admins"},
    "billing-members": {"email": "invited@example.com", "name": "Ivy", "role": "viewer"},
    "billing-member-role": {"role": "viewer"},
    "billing-connector-new": {
        "provider": "google_sheets",
        "name": "New",
        "setting-spreadsheet_id": "1aBcDeFgHiJkLmNoPqRsTuVwXyZ",
        "setting-sheet": "Usage",
    },
    "billing-connector-remove": {"reason": "for the table"},
    "billing-connector-month": {"month": "2026-04", "answer": "confirm", "reason": "for the table"},
    "billing-connector-disable": {"reason": "for the table"},
    "billing-connector-enable": {"reason": "for the table"},
    "billing-connector-key": {"api_key": "a-key-of-the-table"},
}
# The pages whose address names a connector or a member too.
OF_A_CONNECTOR, OF_A_MEMBER = "<uuid:connector_id>", "<uuid:user_id>"


def more_in_address(pattern: str, tenant: Tenant) -> list[UUID]:
    """What the address of a page names beside the workspace."""
    named = {OF_A_CONNECTOR: tenant.connector_id, OF_A_MEMBER: tenant.member_id}
    return [value for part, value in named.items() if part in pattern]


def page_routes() -> list[Route]:
    """The leaves below the address of a workspace."""
    return [route for route in all_routes() if route.pattern.startswith(PREFIX)]
