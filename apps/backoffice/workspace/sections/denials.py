"""What was denied in the workspace lately, by name."""

from __future__ import annotations

from django.http import HttpRequest

from apps.backoffice.records.decisions import denials_panel
from apps.backoffice.workspace.references import why_url
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.subscriptions.models import DecisionReceipt


def denials_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The latest denials, each with its receipt; "Why?" asks about any other person and operation."""
    rows = DecisionReceipt.objects.filter(workspace_id=subject.workspace_id)
    panel = denials_panel(rows, organization=subject.organization_id)
    links = [("Check a person's access", why_url(subject.workspace_id))]
    if panel.rows:
        links.append(("Show in list", panel.link))
    return Section(title=panel.title, icon="block", panel=panel, links=links, is_wide=True)
