"""What the audit log got to know in a window, counted by event.

An organization's entries are numbered in the order of their moments, so that they are read from the newest back to the
window's start, however many there are before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Count, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from apps.core.audit_events import AuditEvent
from apps.core.models import AuditEntry
from apps.reporting.rules.document import ReportScope, Window
from apps.tenants.models import Organization


def audit_counts(scope: ReportScope, window: Window, events: Sequence[AuditEvent]) -> Mapping[str, int]:
    """How often each event was recorded in the window, by its name; 0 where it was not."""
    entries = _of(scope, window).filter(event__in=[event.name for event in events])
    found = dict(entries.values_list("event").annotate(count=Count("pk")))
    return {event.name: found.get(event.name, 0) for event in events}


def _of(scope: ReportScope, window: Window) -> QuerySet[AuditEntry]:
    if scope.organization_id is None:
        real = Organization.objects.filter(is_demo=False, is_synthetic=False)
        return AuditEntry.objects.filter(
            recorded_at__gte=window.start, recorded_at__lt=window.end, organization_id__in=real.values("pk")
        )
    own = AuditEntry.objects.filter(organization_id=scope.organization_id)
    before = own.filter(recorded_at__lt=window.start).order_by("-sequence").values("sequence")[:1]
    return own.filter(sequence__gt=Coalesce(Subquery(before), Value(0)), recorded_at__lt=window.end)
