"""The audit log, read only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.apps import apps
from django.contrib.admin import display
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.audit_diff import ABSENT, FieldChange, field_changes
from apps.backoffice.cells import NOTHING, badge, code, link, moment, number, page_url_of, short, title_and_slug
from apps.backoffice.filters import (
    choice_filter,
    days_filter,
    flag_filter,
    of_customers,
    organization_filter,
    text_filter,
)
from apps.backoffice.list_files import FileColumns
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.workspace.undo import Undo, way_back
from apps.core.audit import event_label
from apps.core.audit_events import event_choices
from apps.core.enums import ActorKind
from apps.core.models import AuditEntry
from apps.tenants.models import Organization

# The records that have a page here, by what audit entries call them.
_PAGES = {
    "organization": "tenants.Organization",
    "workspace": "tenants.Workspace",
    "user": "tenants.User",
    "membership": "tenants.Membership",
    "product": "tenants.Product",
    "service_token": "tenants.ServiceToken",
    "outbox_item": "core.OutboxItem",
    "job_run": "core.JobRun",
    "plan": "subscriptions.Plan",
    "credit_policy": "credits.CreditPolicy",
    "credit_account": "credits.CreditAccount",
    "credit_grant": "credits.CreditGrant",
    "credit_entry": "credits.CreditEntry",
    "connector": "connectors.Connector",
    "sync_run": "connectors.SyncRun",
    "provider_invoice": "payments.ProviderInvoice",
    "webhook_event": "payments.WebhookEvent",
    "usage_fault": "payments.UsageFault",
    "cutover_run": "tenants.CutoverRun",
    "reconciliation_run": "tenants.ReconciliationRun",
    "membership_drift": "tenants.MembershipDrift",
    "balance_import": "credits.BalanceImport",
    "difference_mark": "credits.DifferenceMark",
    "impersonation": "tenants.Impersonation",
}
# The field that people know such a record by; the others are named by their kind alone.
_NAMES = {
    "organization": "name",
    "workspace": "name",
    "user": "email",
    "membership": "user__email",
    "product": "name",
    "service_token": "name",
    "plan": "name",
    "connector": "name",
    "credit_account": "organization__name",
    "provider_invoice": "number",
    "impersonation": "member__email",
}


def names_of_targets(entries: Iterable[AuditEntry]) -> dict[str, str]:
    """The names of the changed records by their ids, read with one statement a kind."""
    keys: dict[str, set[str]] = {}
    for entry in entries:
        if entry.target_type in _NAMES:
            keys.setdefault(entry.target_type, set()).add(entry.target_id)
    names: dict[str, str] = {}
    for kind, found in keys.items():
        rows: QuerySet[Model] = QuerySet(apps.get_model(_PAGES[kind])).filter(pk__in=found)
        names |= {str(key): str(name) for key, name in rows.values_list("pk", _NAMES[kind]) if name}
    return names


def target_link(entry: AuditEntry, names: Mapping[str, str]) -> SafeString:
    """The kind of the changed record and its name, with a link where it has a page."""
    kind = entry.target_type.replace("_", " ")
    label, name = _PAGES.get(entry.target_type), names.get(entry.target_id, "")
    shown = title_and_slug(name, kind) if name else format_html("{}", kind)
    return link(page_url_of(apps.get_model(label), entry.target_id), shown) if label else shown


class AuditEntryAdmin(StaffAdmin[AuditEntry]):
    """Entries are append-only and hash-chained; `manage.py verify_audit` checks the chains."""

    operation = "audit.read"
    is_history = True
    icon = "history_edu"
    heading = "Audit log"
    about = "Every change, newest first. Cannot be edited."
    ordering = ("-recorded_at",)
    list_display = ("when", "what", "target", "who", "tenant", "why")
    sortable_by = ("when",)
    file_columns: ClassVar[FileColumns] = {
        "recorded (UTC)": lambda row: row.recorded_at,
        "event": lambda row: row.event,
        "what": lambda row: event_label(row.event),
        "record": lambda row: row.target_type,
        "record name": lambda row: row.target_names.get(row.target_id, ""),
        "record id": lambda row: row.target_id,
        "who": lambda row: row.actor_label,
        "as": lambda row: row.get_role_display(),
        "organization": lambda row: row.organization_name or row.organization_id,
        "workspace id": lambda row: row.workspace_id,
        "reason": lambda row: row.reason,
        "request": lambda row: row.request_id,
        "number": lambda row: row.sequence,
        "id": lambda row: row.pk,
    }
    listed = of_customers("organization_id")
    list_filter = (
        flag_filter("people", "by people", Q(actor_kind=ActorKind.USER)),
        organization_filter("organization_id"),
        choice_filter("event", "event", event_choices),
        text_filter("actor", "actor", field="actor_label", hint="E-mail address, product or console:name"),
        text_filter("target", "record", field="target_id", hint="Id"),
        days_filter("recorded_at", "recorded"),
    )
    search_ids = ("pk", "organization_id", "workspace_id", "target_id")
    search_help_text = "Id of an entry, organization, workspace or record"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).annotate(organization_name=organization_name())

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Read the names of all changed records at once."""
        names = names_of_targets(rows)
        for row in rows:
            row.target_names = names
        return rows

    @display(description="When", ordering="recorded_at")
    def when(self, record: AuditEntry) -> SafeString:
        return moment(record.recorded_at)

    @display(description="What")
    def what(self, record: AuditEntry) -> SafeString:
        return title_and_slug(event_label(record.event), record.event)

    @display(description="Record")
    def target(self, record: Any) -> SafeString:
        return target_link(record, record.target_names)

    @display(description="Who")
    def who(self, record: AuditEntry) -> SafeString:
        return title_and_slug(record.actor_label, record.get_role_display())

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString:
        if record.organization_id is None:
            return badge("Platform")
        url = page_url_of(Organization, record.organization_id)
        return link(url, record.organization_name or record.organization_id)

    @display(description="Reason")
    def why(self, record: AuditEntry) -> SafeString:
        return short(record.reason, 60)

    def title_of(self, record: AuditEntry) -> str:
        return event_label(record.event)

    def facts(self, record: AuditEntry) -> list[Fact]:
        return [
            Fact("Recorded", moment(record.recorded_at)),
            Fact("Event", code(record.event)),
            Fact("Who", record.actor_label),
            Fact("As", record.get_role_display()),
            Fact("Authorized by", record.get_authorization_source_display()),
            Fact("Organization", self.tenant(record)),
            Fact("Record", target_link(record, names_of_targets([record]))),
            Fact("Id of the record", code(record.target_id)),
            Fact("Reason", record.reason or NOTHING),
            Fact("Request", code(record.request_id)),
            Fact("Number", number(record.sequence), "Entry number in the organization's log, or in the platform's."),
            Fact("Hash", code(record.hash), "Covers this entry and the hash of the previous one."),
        ]

    def extra_context(self, request: HttpRequest, record: AuditEntry) -> dict[str, Any]:
        """The way back from the deed, as the workspace's timeline offers it, or why there is none."""
        found = way_back(request, record)
        return {"undo": found} if isinstance(found, Undo) else {"sentence": found}

    def panels(self, request: HttpRequest, record: AuditEntry) -> list[Panel]:
        changes = field_changes(record.before, record.after)
        changed = [change for change in changes if change.is_changed]
        headers, empty = ("Field", "Before", "After"), "This event changes no fields."
        panels = [
            Panel("What was changed", headers, [_diff_row(row) for row in changed], empty=empty, icon="difference")
        ]
        same = [_diff_row(row) for row in changes if not row.is_changed]
        if same:
            panels.append(Panel("What stayed as it was", headers, same, empty="", icon="drag_handle"))
        return panels


def _diff_row(change: FieldChange) -> tuple[SafeString, SafeString, SafeString]:
    if not change.is_changed:
        same = format_html('<span class="ch-same">{}</span>', change.after)
        return code(change.field), same, same
    before = NOTHING
    if change.before != ABSENT:
        before = format_html('<del class="ch-before">{}</del>', change.before)
    return code(change.field), before, format_html('<ins class="ch-after">{}</ins>', change.after)
