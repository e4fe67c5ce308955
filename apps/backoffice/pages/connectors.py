"""Connectors with their timeline and syncs (spec 06, Connector; spec 08)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import display
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.actions import Dialog, Outcome, ReasonForm, staff_action
from apps.backoffice.display import NOTHING, badge, code, moment, record_link, title_and_slug
from apps.backoffice.filters import WorkspaceFilter, choice_filter
from apps.backoffice.panels import Fact, Panel, Row, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.connectors import connector_badge, credential_words, run_row
from apps.backoffice.staff import acting_context
from apps.backoffice.staff_admin import StaffAdmin
from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import CAUSES, REMEDIES
from apps.connectors.models import Connector, ConnectorEvent
from apps.connectors.providers.registry import provider_classes, provider_label
from apps.connectors.rules.causes import reason_of
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_timeline
from apps.connectors.selectors.syncs import sync_runs_of_connector
from apps.connectors.services import connector_disable, connector_enable
from apps.connectors.services.access_tokens import can_ask_reauthorization, connector_ask_reauthorization
from apps.connectors.services.lifecycle import DISABLE, EDIT
from apps.connectors.sync.guards import OPERATION as SYNC
from apps.connectors.sync.queue import sync_request


def event_row(event: ConnectorEvent) -> Row:
    return moment(event.occurred_at), event.get_kind_display(), event.sentence, event.actor_label


class ConnectorAdmin(StaffAdmin[Connector]):
    """The connectors of all workspaces. A credential is never shown."""

    operation = "connectors.read"
    icon = "cable"
    heading = "Connectors"
    about = "The systems that send usage data to each workspace, and why one is off."
    ordering = ("-created_at", "id")
    list_select_related = ("workspace__organization", "credential")
    list_display = ("named", "where", "status_badge", "last_success", "next_due", "created")
    list_filter = (
        choice_filter("status", "status", lambda: ConnectorStatus.choices),
        choice_filter("reason", "auto-disable reason", lambda: AutoDisableReason.choices, field="auto_disable_reason"),
        choice_filter("provider", "provider", lambda: [(name, cls.label) for name, cls in provider_classes().items()]),
        WorkspaceFilter,
    )
    search_ids = ("pk", "workspace_id")
    search_help_text = "Id of a connector or workspace"
    actions_detail: ClassVar[tuple[str, ...]] = ("sync", "reauthorize", "enable", "disable")

    @display(description="Connector")
    def named(self, record: Connector) -> SafeString:
        return title_and_slug(record.name, provider_label(record.provider))

    @display(description="Workspace")
    def where(self, record: Connector) -> SafeString:
        workspace = record.workspace
        return record_link(workspace, f"{workspace.organization.name} · {workspace.name}")

    @display(description="Status")
    def status_badge(self, record: Connector) -> SafeString:
        return connector_badge(record)

    @display(description="Last success")
    def last_success(self, record: Connector) -> SafeString:
        return moment(record.last_success_at)

    @display(description="Next due")
    def next_due(self, record: Connector) -> SafeString:
        return moment(record.next_due_at) if record.status == ConnectorStatus.ENABLED else NOTHING

    @display(description="Created")
    def created(self, record: Connector) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Connector) -> list[Any]:
        demo = [badge("Demo", "info")] if record.workspace.organization.is_demo else []
        return [connector_badge(record), *demo]

    def title_of(self, record: Connector) -> str:
        return record.name

    def facts(self, record: Connector) -> list[Fact]:
        return [
            Fact("Workspace", self.where(record)),
            Fact("Provider", provider_label(record.provider)),
            *_why_off(record),
            Fact("Credential", credential_words(record), "It can't be shown, only replaced."),
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
                icon="sync",
            ),
            *changes_of_target(request, "connector", record.pk),
        ]

    @staff_action(
        operation=SYNC,
        dialog=Dialog(
            "Sync now",
            "Every month that is not final is read now, oldest first. One that is being read goes on as it is.",
            "Sync now",
        ),
        form_class=ReasonForm,
        icon="sync",
        applies_to=lambda record: record.status == ConnectorStatus.ENABLED,
    )
    def sync(self, request: HttpRequest, record: Connector, form: ReasonForm) -> Outcome:
        """Queue a run for every month that is due."""
        context = acting_context(request, SYNC, record.workspace.organization)
        answers = sync_request(context, connector_id=ConnectorId(record.pk), reason=form.cleaned_data["reason"])
        months = ", ".join(answer.run.month for answer in answers)
        return f"Will be synced: {months}." if months else "Every month is final: there is nothing to sync."

    @staff_action(
        operation=EDIT,
        dialog=Dialog(
            "Ask for re-authorization",
            "The connector stops until an admin of its organization has authorized it at Google again. They get an "
            "e-mail that says so.",
            "Ask for it",
            is_dangerous=True,
        ),
        form_class=ReasonForm,
        icon="key",
        applies_to=can_ask_reauthorization,
    )
    def reauthorize(self, request: HttpRequest, record: Connector, form: ReasonForm) -> Outcome:
        """Stop the connector until a person authorizes it again."""
        context = acting_context(request, EDIT, record.workspace.organization)
        reason = form.cleaned_data["reason"]
        connector_ask_reauthorization(context, connector_id=ConnectorId(record.pk), reason=reason)
        return "The connector waits for its authorization. The organization's admins are told by e-mail."

    @staff_action(
        operation=EDIT,
        dialog=Dialog(
            "Enable",
            "The connector runs again with its next sync. While a cause from outside keeps it off, this is refused.",
            "Enable",
        ),
        form_class=ReasonForm,
        icon="play_arrow",
        applies_to=lambda record: record.status in sources("enable"),
    )
    def enable(self, request: HttpRequest, record: Connector, form: ReasonForm) -> Outcome:
        """Enable a connector that is off."""
        context = acting_context(request, EDIT, record.workspace.organization)
        connector_enable(context, connector_id=ConnectorId(record.pk), reason=form.cleaned_data["reason"])
        return "The connector is no longer disabled."

    @staff_action(
        operation=DISABLE,
        dialog=Dialog(
            "Disable",
            "The connector brings nothing any more until a person enables it, whatever comes or goes meanwhile.",
            "Disable",
            is_dangerous=True,
        ),
        form_class=ReasonForm,
        icon="stop",
        applies_to=lambda record: record.status in sources("disable"),
    )
    def disable(self, request: HttpRequest, record: Connector, form: ReasonForm) -> Outcome:
        """Disable a connector."""
        context = acting_context(request, DISABLE, record.workspace.organization)
        connector_disable(context, connector_id=ConnectorId(record.pk), reason=form.cleaned_data["reason"])
        return "The connector is disabled."


def _why_off(record: Connector) -> list[Fact]:
    """One fact for each cause of an auto-disable, with its remedy as hint."""
    reasons = list(dict.fromkeys(reason_of(cause) for cause in record.auto_disable_causes))
    label = "Why it is off" if record.status == ConnectorStatus.AUTO_DISABLED else "What would turn it off again"
    return [Fact(label, f"{CAUSES[reason][0].upper()}{CAUSES[reason][1:]}.", REMEDIES[reason]) for reason in reasons]
