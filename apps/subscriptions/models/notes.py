"""Notes of staff on a workspace: dated, signed, never overwritten."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import words_index
from apps.core.free_text import FreeTextField
from apps.core.models.protection import append_only
from apps.tenants.models import Workspace


class WorkspaceNote(models.Model):
    """One note. Who is mistaken writes another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="notes", db_index=False)
    text = FreeTextField()
    author_id = models.CharField(max_length=64, blank=True, default="")
    author_label = models.CharField(max_length=254)
    written_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(text=""), name="workspace_note_has_text")]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "-written_at"], name="workspace_note_latest"),
            words_index("workspace_note_words", "text"),
        ]
        triggers: ClassVar = append_only("workspace_note")

    def __str__(self) -> str:
        return f"note of {self.author_label} on {self.workspace_id}"
