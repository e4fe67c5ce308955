"""The panel "latest changes" that every record's page ends with."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice.cells import list_url, moment, record_link, short
from apps.backoffice.panels import Panel, Row, panel_of
from apps.backoffice.staff import may
from apps.core.audit import event_label
from apps.core.models import AuditEntry

_HEADERS = ("When", "What", "Who", "Reason")


def _row(entry: AuditEntry) -> Row:
    return (
        moment(entry.recorded_at),
        record_link(entry, event_label(entry.event)),
        entry.actor_label,
        short(entry.reason, 60),
    )


def _panel(request: HttpRequest, entries: QuerySet[AuditEntry], link: str) -> list[Panel]:
    if not may(request, "audit.read"):
        return []
    empty = "No changes yet."
    return [panel_of("Latest changes", _HEADERS, entries, _row, empty=empty, link=link, icon="history")]


def changes_of_target(request: HttpRequest, target_type: str, target_id: object) -> list[Panel]:
    """The latest audit entries about the record; no panel for users who may not read the audit log."""
    entries = AuditEntry.objects.filter(target_type=target_type, target_id=str(target_id)).order_by("-recorded_at")
    return _panel(request, entries, list_url(AuditEntry, target=target_id))
