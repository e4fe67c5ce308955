"""Notes on workspaces, read only; they are written on the workspace page."""

from __future__ import annotations

from django.contrib.admin import display
from django.utils.safestring import SafeString

from apps.backoffice.cells import moment, record_link, short
from apps.backoffice.filters import WorkspaceFilter, of_customers, organization_filter
from apps.backoffice.panels import Fact
from apps.backoffice.staff_admin import StaffAdmin
from apps.subscriptions.models import WorkspaceNote


class WorkspaceNoteAdmin(StaffAdmin[WorkspaceNote]):
    operation = "notes.read"
    icon = "sticky_note_2"
    heading = "Notes"
    about = (
        "What colleagues should know about a customer. Write notes on the workspace page. They can't be changed later."
    )
    # The index on both serves this order, and all notes of one workspace above all.
    ordering = ("workspace_id", "-written_at")
    list_select_related = ("workspace__organization",)
    list_display = ("beginning", "where", "author_label", "when")
    listed = of_customers("workspace__organization_id")
    list_filter = (organization_filter("workspace__organization_id"), WorkspaceFilter)
    search_ids = ("pk", "workspace_id")
    search_help_text = "Id of a note or workspace"

    @display(description="Note")
    def beginning(self, record: WorkspaceNote) -> SafeString:
        return short(record.text, 90)

    @display(description="Workspace")
    def where(self, record: WorkspaceNote) -> SafeString:
        workspace = record.workspace
        return record_link(workspace, f"{workspace.organization.name} · {workspace.name}")

    @display(description="Written")
    def when(self, record: WorkspaceNote) -> SafeString:
        return moment(record.written_at)

    def title_of(self, record: WorkspaceNote) -> str:
        return f"Note by {record.author_label}"

    def facts(self, record: WorkspaceNote) -> list[Fact]:
        return [
            Fact("Note", record.text),
            Fact("Workspace", self.where(record)),
            Fact("Author", record.author_label),
            Fact("Written", moment(record.written_at)),
        ]
