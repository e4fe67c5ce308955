"""The notes on all workspaces of a customer, as one short table."""

from __future__ import annotations

from uuid import UUID

from apps.backoffice.cells import list_url, moment, record_link, short
from apps.backoffice.panels import Panel, panel_of
from apps.subscriptions.models import WorkspaceNote


def notes_panel(organization_id: UUID) -> Panel:
    """The newest notes; they are written on the page of a workspace."""
    notes = WorkspaceNote.objects.filter(workspace__organization=organization_id).select_related("workspace")
    return panel_of(
        "Notes",
        ("Note", "Workspace", "Author", "Written"),
        notes.order_by("-written_at"),
        lambda note: (short(note.text, 160), record_link(note.workspace), note.author_label, moment(note.written_at)),
        empty="No notes yet. Add one on the page of a workspace.",
        link=list_url(WorkspaceNote, organization=organization_id),
        icon="sticky_note_2",
    )
