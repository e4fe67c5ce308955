"""Writes the timeline: what a person reads about a connector, in order (spec 04, Auto-disable; spec 06, Connector)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.db import connection

from apps.connectors.enums import ConnectorEventKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import ConnectorEvent
from apps.core import clock
from apps.core.audit.secrecy import redact_text
from apps.core.context import ExecutionContext

_NOTE_MANY = (
    "INSERT INTO connectors_connectorevent (connector_id, kind, sentence, actor_label, request_id, occurred_at)"
    " SELECT noted, %s, %s, %s, %s, %s FROM unnest(%s::uuid[]) AS noted"
)


class Counts(Protocol):
    """The counters of a run."""

    created: int
    updated: int
    voided: int
    unchanged: int


def connector_note(
    context: ExecutionContext, *, connector_id: ConnectorId, kind: ConnectorEventKind, sentence: str
) -> ConnectorEvent:
    """Append one event to the connector's timeline; what looks like a provider's key is redacted."""
    return ConnectorEvent.objects.create(
        connector_id=connector_id,
        kind=kind,
        sentence=redact_text(sentence),
        actor_label=context.actor.label,
        request_id=context.request_id,
        occurred_at=clock.now(),
    )


def note_many(
    context: ExecutionContext, connector_ids: Sequence[ConnectorId], kind: ConnectorEventKind, sentence: str
) -> None:
    """Append the same event to the timeline of each connector, in one statement."""
    if not connector_ids:
        return
    shared = [kind.value, sentence, context.actor.label, context.request_id, clock.now()]
    values: list[Any] = [*shared, list(connector_ids)]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_MANY, values)


def describe_counts(run: Counts) -> str:
    """The counts of a run that are not zero."""
    parts = ((run.created, "new"), (run.updated, "changed"), (run.voided, "voided"), (run.unchanged, "unchanged"))
    return ", ".join(f"{count:,} {word}" for count, word in parts if count) or "no records"
