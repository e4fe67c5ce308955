"""Notes of staff on a workspace."""

from __future__ import annotations

from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId
from apps.core.operations import require
from apps.subscriptions.models import WorkspaceNote
from apps.subscriptions.services.change_steps import impossible, locked_workspace

NOTE_OPERATION = "notes.add"


@transaction.atomic
def note_add(context: ExecutionContext, *, workspace_id: WorkspaceId, text: str) -> WorkspaceNote:
    """Add a note, dated and signed with the actor. The table refuses every later change, so it is its own record."""
    require(context, NOTE_OPERATION)
    if not text.strip():
        raise impossible("text", "A note needs a text.")
    return WorkspaceNote.objects.create(
        workspace=locked_workspace(workspace_id),
        text=text.strip(),
        author_id=context.actor.id,
        author_label=context.actor.label,
        written_at=clock.now(),
    )
