"""Notes of colleagues: dated, signed, never overwritten."""

from __future__ import annotations

from django.http import HttpRequest

from apps.backoffice.cells import list_url
from apps.backoffice.panels import PANEL_ROWS
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.subscriptions.models import WorkspaceNote
from apps.subscriptions.selectors.records import workspace_notes


def notes_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The newest notes, up to the moment that is shown."""
    notes = workspace_notes(subject.workspace_id)
    if subject.as_of is not None:
        notes = notes.filter(written_at__lte=subject.as_of)
    found = list(notes[: PANEL_ROWS + 1])
    all_notes = list_url(WorkspaceNote, workspace=subject.workspace_id)
    return Section(
        title="Notes",
        icon="sticky_note_2",
        content=found[:PANEL_ROWS],
        empty="No notes yet. Add what a colleague should know about this customer.",
        links=[("Show all" if len(found) > PANEL_ROWS else "Show in list", all_notes)] if found else (),
        template="backoffice/workspace/notes.html",
        is_wide=True,
    )
