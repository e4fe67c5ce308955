"""What feeds the workspace: each connector with its state, and the way to enable or disable it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.display import NOTHING, link, list_url, moment, page_url, title_and_slug
from apps.backoffice.panels import panel_of
from apps.backoffice.records.connectors import connector_badge, credential_words, run_row
from apps.backoffice.staff import may
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.connectors.providers.registry import provider_label
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.connectors.selectors.syncs import sync_runs_of_workspace
from apps.connectors.services.access_tokens import can_ask_reauthorization
from apps.connectors.services.lifecycle import DISABLE, EDIT
from apps.connectors.sync.guards import OPERATION as SYNC

# Verb, label, operation, and the connectors that it applies to.
_VERBS: tuple[tuple[str, str, str, Callable[[Connector], bool]], ...] = (
    ("sync", "Sync now", SYNC, lambda row: row.status == ConnectorStatus.ENABLED),
    ("reauthorize", "Ask for re-authorization", EDIT, can_ask_reauthorization),
    ("enable", "Enable", EDIT, lambda row: row.status in sources("enable")),
    ("disable", "Disable", DISABLE, lambda row: row.status in sources("disable")),
)


def connectors_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The first few connectors, by name."""
    usable = [(name, label, applies) for name, label, operation, applies in _VERBS if may(request, operation)]
    panel = panel_of(
        "Connectors",
        ("Connector", "Status", "Credential", "Last success", "Next due", "Change"),
        connectors_of_workspace(subject.workspace_id),
        lambda row: (
            link(page_url(row), title_and_slug(row.name, provider_label(row.provider))),
            connector_badge(row),
            credential_words(row),
            moment(row.last_success_at),
            moment(row.next_due_at) if row.status == "enabled" else NOTHING,
            _offered(row, usable),
        ),
        empty="No outside system feeds this workspace.",
        link=list_url(Connector, workspace=subject.workspace_id),
        icon="cable",
    )
    return Section(title="Connectors", icon="cable", panel=panel, is_wide=True)


def syncs_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The last runs of all its connectors, newest first."""
    panel = panel_of(
        "Syncs",
        ("Connector", "Month", "Status", "Result", "Started by", "When"),
        sync_runs_of_workspace(subject.workspace_id),
        lambda run: (link(page_url(run.connector), run.connector.name), *run_row(run)),
        empty="No month was read yet. Enabled connectors are read every hour.",
        icon="sync",
    )
    return Section(title="Syncs", icon="sync", panel=panel, is_wide=True)


def _offered(connector: Connector, usable: list[tuple[str, str, Callable[[Connector], bool]]]) -> SafeString:
    """Links to the dialogs of what is possible now."""
    prefix = "admin:connectors_connector"
    links = [
        link(reverse(f"{prefix}_{name}", args=(connector.pk,)), label.replace(" ", "\N{NO-BREAK SPACE}"))
        for name, label, applies in usable
        if applies(connector)
    ]
    return format_html_join(" ", "{}", ((shown,) for shown in links)) or NOTHING
