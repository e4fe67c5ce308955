"""The workspace's connectors with their state and verbs, and their last syncs."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, link, list_url, moment, page_url, title_and_slug
from apps.backoffice.panels import PANEL_ROWS, panel_of
from apps.backoffice.records.connectors import connector_badge, describe_credential, run_row
from apps.backoffice.verbs import buttons
from apps.backoffice.workspace.connector_verbs import CONNECTOR_VERBS
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.connectors.models import Connector
from apps.connectors.providers.registry import provider_label
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.connectors.selectors.syncs import latest_sync_runs


def connectors_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The first few connectors, by name."""
    panel = panel_of(
        "Connectors",
        ("Connector", "Status", "Credential", "Last success", "Next due", "Change"),
        connectors_of_workspace(subject.workspace_id),
        lambda row: (
            link(page_url(row), title_and_slug(row.name, provider_label(row.provider))),
            connector_badge(row),
            describe_credential(row),
            moment(row.last_success_at),
            moment(row.next_due_at) if row.status == "enabled" else NOTHING,
            _verb_links(request, row),
        ),
        empty="No connectors. No other system sends usage to this workspace.",
        link=list_url(Connector, workspace=subject.workspace_id),
        icon="cable",
    )
    return Section(title="Connectors", icon="cable", panel=panel, is_wide=True)


def syncs_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The last runs of all its connectors, newest first."""
    panel = panel_of(
        "Syncs",
        ("Connector", "Month", "Status", "Result", "Started by", "When"),
        latest_sync_runs(subject.workspace_id, most=PANEL_ROWS + 1),
        lambda run: (link(page_url(run.connector), run.connector.name), *run_row(run)),
        empty="No sync yet. Enabled connectors sync by themselves: each hour, and less often while nothing changes.",
        icon="sync",
    )
    return Section(title="Syncs", icon="sync", panel=panel, is_wide=True)


def _verb_links(request: HttpRequest, connector: Connector) -> SafeString:
    offered = buttons(
        request,
        CONNECTOR_VERBS,
        connector,
        lambda verb: reverse(f"admin:connectors_connector_{verb.name}", args=(connector.pk,)),
    )
    links = [link(button.url, button.verb.label.replace(" ", "\N{NO-BREAK SPACE}")) for button in offered]
    return format_html_join(" ", "{}", ((shown,) for shown in links)) or NOTHING
