"""Connectors with their timeline and syncs (spec 06, Connector; spec 08)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, list_url, moment, record_link, title_and_slug
from apps.backoffice.filters import WorkspaceFilter, choice_filter, flag_filter, of_customers, organization_filter
from apps.backoffice.list_files import FileColumns
from apps.backoffice.panels import Fact, Panel, Row, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.connectors import connector_badge, describe_credential, run_row
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.workspace.connector_verbs import CONNECTOR_VERBS
from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import CAUSES, REMEDIES
from apps.connectors.models import Connector, ConnectorEvent, SyncRun
from apps.connectors.models.connectors import IS_FAILING
from apps.connectors.providers.registry import provider_classes, provider_label
from apps.connectors.rules.causes import reason_of
from apps.connectors.selectors.connectors import connector_timeline, first_month
from apps.connectors.selectors.syncs import sync_runs_of_connector
from apps.core.moments import write_months
from apps.core.texts import make_visible


def event_row(event: ConnectorEvent) -> Row:
    return moment(event.occurred_at), event.get_kind_display(), make_visible(event.sentence), event.actor_label


class ConnectorAdmin(StaffAdmin[Connector]):
    """The connectors of all workspaces. A credential is never shown."""

    operation = "connectors.read"
    icon = "cable"
    heading = "Connectors"
    about = "The systems that send usage data to each workspace, and why one is off."
    ordering = ("-created_at", "id")
    list_select_related = ("workspace__organization", "credential")
    list_display = ("named", "where", "status_badge", "last_success", "next_due", "created")
    listed = of_customers("workspace__organization_id")
    list_filter = (
        choice_filter("status", "status", lambda: ConnectorStatus.choices),
        choice_filter("reason", "auto-disable reason", lambda: AutoDisableReason.choices, field="auto_disable_reason"),
        choice_filter("provider", "provider", lambda: [(name, cls.label) for name, cls in provider_classes().items()]),
        flag_filter("failing", "last sync failed", IS_FAILING),
        organization_filter("workspace__organization_id"),
        WorkspaceFilter,
    )
    sortable_by = ("created",)
    file_columns: ClassVar[FileColumns] = {
        "organization": lambda row: row.workspace.organization.name,
        "workspace": lambda row: row.workspace.name,
        "connector": lambda row: row.name,
        "provider": lambda row: provider_label(row.provider),
        "status": lambda row: row.get_status_display(),
        "last sync failed": lambda row: row.is_failing,
        "reason": lambda row: row.get_auto_disable_reason_display() if row.auto_disable_reason else "",
        "last success (UTC)": lambda row: row.last_success_at,
        "next due (UTC)": lambda row: row.next_due_at if row.status == ConnectorStatus.ENABLED else None,
        "created (UTC)": lambda row: row.created_at,
        "id": lambda row: row.pk,
    }
    search_ids = ("pk", "workspace_id")
    search_help_text = "Id of a connector or workspace"
    verbs = CONNECTOR_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connector]:
        """Of the list those that are not removed; the page of a removed one can be opened from its records."""
        rows = super().get_queryset(request).annotate(is_failing=ExpressionWrapper(IS_FAILING, BooleanField()))
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith(("_changelist", "_list_file"))
        return rows.filter(removed_at__isnull=True) if is_list else rows

    @display(description="Connector")
    def named(self, record: Connector) -> SafeString:
        return title_and_slug(record.name, provider_label(record.provider))

    @display(description="Workspace")
    def where(self, record: Connector) -> SafeString:
        workspace = record.workspace
        return record_link(workspace, f"{workspace.organization.name} · {workspace.name}")

    @display(description="Status")
    def status_badge(self, record: Any) -> SafeString:
        failing = badge("Last sync failed", "bad") if record.is_failing else ""
        return format_html("{} {}", connector_badge(record), failing)

    @display(description="Last success")
    def last_success(self, record: Connector) -> SafeString:
        return moment(record.last_success_at)

    @display(description="Next due")
    def next_due(self, record: Connector) -> SafeString:
        return moment(record.next_due_at) if record.status == ConnectorStatus.ENABLED else NOTHING

    @display(description="Created", ordering="created_at")
    def created(self, record: Connector) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Connector) -> list[Any]:
        demo = [badge("Demo", "info")] if record.workspace.organization.is_demo else []
        removed = [badge("Removed", "neutral")] if record.removed_at else []
        return [self.status_badge(record), *removed, *demo]

    def title_of(self, record: Connector) -> str:
        return record.name

    def facts(self, record: Connector) -> list[Fact]:
        return [
            Fact("Workspace", self.where(record)),
            Fact("Provider", provider_label(record.provider)),
            *_why_off(record),
            Fact("Credential", describe_credential(record), "It can't be shown, only replaced."),
            Fact("Reads from", write_months(str(first_month(record)))),
            Fact("Last success", moment(record.last_success_at)),
            Fact("Next due", self.next_due(record)),
            Fact("Created", moment(record.created_at)),
            Fact("Version", str(record.version)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: Connector) -> list[Panel]:
        settings = [(code(name), str(value)) for name, value in sorted(record.settings.items())]
        return [
            panel_of(
                "Timeline",
                ("When", "Event", "Details", "Who"),
                connector_timeline(ConnectorId(record.pk)),
                event_row,
                empty="No events yet.",
                icon="timeline",
            ),
            Panel("Settings", ("Name", "Value"), settings, empty="This provider has no settings.", icon="tune"),
            panel_of(
                "Syncs",
                ("Month", "Status", "Result", "Started by", "When"),
                sync_runs_of_connector(ConnectorId(record.pk)),
                run_row,
                empty="No sync yet.",
                link=list_url(SyncRun, q=record.pk),
                icon="sync",
            ),
            *changes_of_target(request, "connector", record.pk),
        ]


def _why_off(record: Connector) -> list[Fact]:
    """One fact for each cause of an auto-disable, with its remedy as hint."""
    reasons = list(dict.fromkeys(reason_of(cause) for cause in record.auto_disable_causes))
    label = "Why it is off" if record.status == ConnectorStatus.AUTO_DISABLED else "What would turn it off again"
    return [Fact(label, f"{CAUSES[reason][0].upper()}{CAUSES[reason][1:]}.", REMEDIES[reason]) for reason in reasons]
