"""The timeline of a connector: what a person reads about it, in order (spec 01, Glossary)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.connectors.enums import ConnectorEventKind
from apps.connectors.models.connectors import Connector
from apps.core.constraints import one_of
from apps.core.models.protection import append_only


class ConnectorEvent(models.Model):
    """One event. `sentence` is what people read; it never holds a secret. Append-only in the database."""

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="timeline", db_index=False)
    kind = models.CharField(max_length=32, choices=ConnectorEventKind.choices)
    sentence = models.TextField()
    actor_label = models.CharField(max_length=254)
    request_id = models.CharField(max_length=200, blank=True, default="")
    occurred_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", ConnectorEventKind, "connector_event_kind_known"),
            models.CheckConstraint(condition=~Q(sentence=""), name="connector_event_has_sentence"),
        ]
        indexes: ClassVar = [models.Index(fields=["connector", "-id"], name="connector_event_latest")]
        triggers: ClassVar = append_only("connector_event")

    def __str__(self) -> str:
        return self.sentence
