"""Timeline and audit: what happened to the workspace, newest first, in words, each entry with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice.audit_diff import FieldChange, field_changes
from apps.backoffice.cells import list_url, page_url
from apps.backoffice.workspace.labels import describe_changes, plan_names
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.backoffice.workspace.undo import Undo, newest_of_each, undo_of
from apps.core.audit import event_label
from apps.core.models import AuditEntry
from apps.subscriptions.models import ProviderEvidence
from apps.subscriptions.selectors.records import PAYMENT_CONFIG_TARGET

ENTRIES = 12
_MOST_CHANGES = 4


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An audit entry, or an update of a provider that changed nothing."""

    at: datetime
    what: str
    who: str
    reason: str
    changes: Sequence[FieldChange]
    url: str = ""
    undo: Undo | None = None
    is_evidence: bool = False


def timeline_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The latest audit entries of the workspace and its payments, and provider updates that changed nothing."""
    entries = [*_first(_of_workspace(subject), subject), *_first(_of_payments(subject), subject)]
    entries.sort(key=lambda entry: (entry.recorded_at, entry.sequence), reverse=True)
    items = [*_describe(entries, _undos(request, subject, entries)), *_evidence(subject)]
    items.sort(key=lambda item: item.at, reverse=True)
    return Section(
        title="Timeline and audit" if subject.as_of is None else "Timeline until then",
        icon="history",
        content=items[:ENTRIES],
        empty="No events yet.",
        links=[
            ("All of this workspace", list_url(AuditEntry, q=subject.workspace_id)),
            ("All of the organization", list_url(AuditEntry, organization=subject.organization_id)),
        ],
        template="backoffice/workspace/timeline.html",
        is_wide=True,
    )


def _of_workspace(subject: WorkspaceSubject) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(workspace_id=subject.workspace_id)


def _of_payments(subject: WorkspaceSubject) -> QuerySet[AuditEntry]:
    # Without a config, no entry speaks of one.
    key = str(subject.config.pk) if subject.config else ""
    if subject.as_of is not None:
        return AuditEntry.objects.filter(organization_id=subject.organization_id, target_type=PAYMENT_CONFIG_TARGET)
    return AuditEntry.objects.filter(target_type=PAYMENT_CONFIG_TARGET, target_id=key)


def _first(entries: QuerySet[AuditEntry], subject: WorkspaceSubject) -> list[AuditEntry]:
    if subject.as_of is not None:
        entries = entries.filter(recorded_at__lte=subject.as_of)
    return list(entries.order_by("-recorded_at", "-sequence")[:ENTRIES])


def _undos(request: HttpRequest, subject: WorkspaceSubject, entries: list[AuditEntry]) -> dict[object, Undo]:
    """The way back from each entry that has one, by the entry's key."""
    newest = newest_of_each(entries)
    found = {entry.pk: undo_of(request, subject, entry) for entry in entries if entry.pk in newest}
    return {key: undo for key, undo in found.items() if undo is not None}


def _describe(entries: list[AuditEntry], undos: Mapping[object, Undo]) -> list[TimelineEntry]:
    keys = {str(side["plan_id"]) for entry in entries for side in (entry.before, entry.after) if side.get("plan_id")}
    plans = plan_names(keys) if keys else {}
    return [
        TimelineEntry(
            at=entry.recorded_at,
            what=event_label(entry.event),
            who=entry.actor_label,
            reason=entry.reason,
            changes=_changes(entry, plans),
            url=page_url(entry),
            undo=undos.get(entry.pk),
        )
        for entry in entries
    ]


def _changes(entry: AuditEntry, plans: dict[str, str]) -> list[FieldChange]:
    if not entry.before:
        return []  # the first entry of a record: everything is new, and the entry's own page lists it
    changes = describe_changes(field_changes(entry.before, entry.after))[:_MOST_CHANGES]
    return [
        FieldChange(
            change.field,
            plans.get(change.before, change.before),
            plans.get(change.after, change.after),
            is_changed=True,
        )
        for change in changes
    ]


def _evidence(subject: WorkspaceSubject) -> list[TimelineEntry]:
    said = ProviderEvidence.objects.filter(workspace=subject.workspace_id)
    if subject.as_of is not None:
        said = said.filter(received_at__lte=subject.as_of)
    return [
        TimelineEntry(
            at=evidence.received_at,
            what=f"{evidence.get_provider_display()} says {evidence.claimed_state.replace('_', ' ')}",
            who=f"{evidence.get_provider_display()} {evidence.object_id}",
            reason=f"Recorded, not applied: {evidence.why_kept}",
            changes=(),
            is_evidence=True,
        )
        for evidence in said.order_by("-claimed_at")[:ENTRIES]
    ]
