"""The audit log, read only."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.audit_diff import ABSENT, FieldChange, field_changes
from apps.backoffice.cells import NOTHING, badge, code, link, moment, number, page_url_of, short, title_and_slug
from apps.backoffice.filters import choice_filter, days_filter, organization_filter, text_filter
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.staff_admin import StaffAdmin
from apps.core.audit import event_label
from apps.core.audit_events import event_choices
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
}


def target_link(entry: AuditEntry) -> SafeString:
    """A link to the changed record, or its plain name where it has no page."""
    name = entry.target_type.replace("_", " ")
    label = _PAGES.get(entry.target_type)
    return link(page_url_of(apps.get_model(label), entry.target_id), name) if label else format_html("{}", name)


class AuditEntryAdmin(StaffAdmin[AuditEntry]):
    """Entries are append-only and hash-chained; `manage.py verify_audit` checks the chains."""

    operation = "audit.read"
    icon = "history_edu"
    heading = "Audit log"
    about = "Every change, newest first. Cannot be edited."
    ordering = ("-recorded_at",)
    list_display = ("when", "what", "target", "who", "tenant", "why")
    list_filter = (
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

    @display(description="When")
    def when(self, record: AuditEntry) -> SafeString:
        return moment(record.recorded_at)

    @display(description="What")
    def what(self, record: AuditEntry) -> SafeString:
        return title_and_slug(event_label(record.event), record.event)

    @display(description="Record")
    def target(self, record: AuditEntry) -> SafeString:
        return target_link(record)

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
            Fact("Record", target_link(record)),
            Fact("Id of the record", code(record.target_id)),
            Fact("Reason", record.reason or NOTHING),
            Fact("Request", code(record.request_id)),
            Fact("Number", number(record.sequence), "Entry number in the organization's log, or in the platform's."),
            Fact("Hash", code(record.hash), "Covers this entry and the hash of the previous one."),
        ]

    def panels(self, request: HttpRequest, record: AuditEntry) -> list[Panel]:
        rows = [_diff_row(change) for change in field_changes(record.before, record.after)]
        empty = "This event changes no fields."
        return [Panel("What was changed", ("Field", "Before", "After"), rows, empty=empty, icon="difference")]


def _diff_row(change: FieldChange) -> tuple[SafeString, SafeString, SafeString]:
    if not change.is_changed:
        same = format_html('<span class="ch-same">{}</span>', change.after)
        return code(change.field), same, same
    before = NOTHING
    if change.before != ABSENT:
        before = format_html('<del class="ch-before">{}</del>', change.before)
    return code(change.field), before, format_html('<ins class="ch-after">{}</ins>', change.after)
