"""Sync runs of all connectors (spec 06, Sync run; spec 08)."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, code, moment, number, record_link, short, title_and_slug
from apps.backoffice.filters import choice_filter, days_filter, organization_filter
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.connectors import run_badge
from apps.backoffice.staff_admin import StaffAdmin
from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.connectors.services.timeline import describe_counts
from apps.core.texts import make_visible


class SyncRunAdmin(StaffAdmin[SyncRun]):
    """One attempt to read one month of one connector."""

    operation = "connectors.read"
    is_history = True
    icon = "sync"
    heading = "Sync runs"
    about = "Each attempt to read a month of a connector: what asked for it, what it brought, and why one failed."
    ordering = ("-created_at", "id")
    list_select_related = ("connector__workspace__organization",)
    list_display = ("named", "where", "status_badge", "started_by", "result", "finished", "created")
    # As `of_customers`, by the key that the run has: joins would be made for each run that a later page skips.
    listed = ~Q(connector__in=Connector.objects.filter(workspace__organization__is_synthetic=True).values("pk"))
    list_filter = (
        choice_filter("status", "status", lambda: SyncStatus.choices),
        choice_filter("trigger", "started by", lambda: SyncTrigger.choices),
        organization_filter("connector__workspace__organization_id"),
        days_filter("created_at", "created"),
    )
    search_ids = ("pk", "connector_id")
    search_help_text = "Id of a run or connector"

    @display(description="Month")
    def named(self, record: SyncRun) -> SafeString:
        return title_and_slug(record.month, record.connector.name)

    @display(description="Workspace")
    def where(self, record: SyncRun) -> SafeString:
        workspace = record.connector.workspace
        return record_link(workspace, f"{workspace.organization.name} · {workspace.name}")

    @display(description="Status")
    def status_badge(self, record: SyncRun) -> SafeString:
        return run_badge(record)

    @display(description="Started by")
    def started_by(self, record: SyncRun) -> str:
        return record.get_trigger_display() if record.trigger == SyncTrigger.SCHEDULE else record.actor_label

    @display(description="Result")
    def result(self, record: SyncRun) -> SafeString:
        brought = describe_counts(record) if record.pages else ""
        return short(make_visible(record.error) or brought, 60)

    @display(description="Finished")
    def finished(self, record: SyncRun) -> SafeString:
        return moment(record.finished_at)

    @display(description="Created")
    def created(self, record: SyncRun) -> SafeString:
        return moment(record.created_at)

    def title_of(self, record: SyncRun) -> str:
        return f"{record.connector.name}, {record.month}"

    def badges(self, record: SyncRun) -> list[Any]:
        return [run_badge(record)]

    def facts(self, record: SyncRun) -> list[Fact]:
        return [
            Fact("Connector", record_link(record.connector)),
            Fact("Workspace", self.where(record)),
            Fact("Month", record.month, "It was final: changes are kept as adjustments." if record.was_final else ""),
            Fact("Why this month", record.reason),
            Fact("Started by", f"{record.get_trigger_display()}: {record.actor_label}"),
            Fact("As", record.get_role_display()),
            Fact("Brought", describe_counts(record) if record.pages else NOTHING),
            Fact("Pages read", number(record.pages)),
            Fact("Error", make_visible(record.error) or NOTHING, record.error_code),
            Fact("Workers that took it", number(record.claims)),
            Fact("Created", moment(record.created_at)),
            Fact("Started", moment(record.started_at)),
            Fact("Finished", moment(record.finished_at)),
            Fact("Request", code(record.request_id)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: SyncRun) -> list[Panel]:
        return changes_of_target(request, "sync_run", record.pk)
