"""What feeds the workspace: each connector with its state, and the way to enable or disable it."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.display import NOTHING, link, list_url, moment, page_url, title_and_slug
from apps.backoffice.pages.connectors import connector_badge, credential_words
from apps.backoffice.panels import panel_of
from apps.backoffice.staff import may
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.connectors.models import Connector
from apps.connectors.providers.registry import provider_label
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.connectors.services.lifecycle import DISABLE, EDIT

_VERBS = (("enable", "Enable", EDIT), ("disable", "Disable", DISABLE))


def connectors_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The first few connectors, by name."""
    usable = [(name, label) for name, label, operation in _VERBS if may(request, operation)]
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


def _offered(connector: Connector, usable: list[tuple[str, str]]) -> SafeString:
    """Links to the dialogs of what is possible now."""
    prefix = "admin:connectors_connector"
    links = [
        link(reverse(f"{prefix}_{name}", args=(connector.pk,)), label)
        for name, label in usable
        if connector.status in sources(name)
    ]
    return format_html_join(" ", "{}", ((shown,) for shown in links)) or NOTHING
