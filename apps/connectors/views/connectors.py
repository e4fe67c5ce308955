"""Connectors: the list, adding one, its page, and its switches (spec 08; spec 06, Connector)."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.connectors.contracts import Month
from apps.connectors.enums import CredentialKind
from apps.connectors.forms import ConnectorForm, KeyForm, offered_providers
from apps.connectors.ids import SyncRunId
from apps.connectors.messages import describe_actor
from apps.connectors.providers.registry import provider_class, provider_classes
from apps.connectors.rules.months import MONTHS_BACK
from apps.connectors.rules.transitions import verbs_from
from apps.connectors.selectors.connectors import connector_timeline, connectors_of_workspace, first_month
from apps.connectors.selectors.syncs import active_runs, sync_runs_of_connector
from apps.connectors.services import (
    connector_create,
    connector_credential_replace,
    connector_disable,
    connector_enable,
)
from apps.connectors.sync.requests import months_waiting, sync_request, sync_run_cancel
from apps.connectors.views.base import SHOWN_ERRORS, ConnectorsPage, OneConnectorPage, add_errors, page_of_connector
from apps.connectors.views.presenters import ConnectorCard, describe_months, month_lines, provider_choice, run_lines
from apps.core import clock
from apps.core.errors import UnprocessableError
from apps.core.moments import write_months
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.tenants.pages import Obstacle
from apps.tenants.selectors.members import people_for_tenant

_EVENTS_SHOWN = 20
_RUNS_SHOWN = 10
# The current one and the 13 before it; the others are one click away.
_MONTHS_SHOWN = MONTHS_BACK + 1


class ConnectorList(ConnectorsPage):
    """The connectors of the workspace with their status."""

    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        cards = [ConnectorCard(connector) for connector in connectors_of_workspace(self.workspace_id)]
        facts = {"cards": cards, "obstacle": self.obstacle("connector.edit")}
        return self.render("connectors/list.html", facts, title="Connectors")


class ConnectorNew(ConnectorsPage):
    """Add a connector: first the provider, then what it asks for. The key is tried before anything is stored."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.edit", "POST": "connector.edit"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The list of providers, or with `?provider=` the form of one."""
        name = request.GET.get("provider", "")
        if name not in provider_classes():
            offered = offered_providers(is_demo=self.workspace.organization.is_demo)
            facts = {"providers": [provider_choice(provider) for provider in offered]}
            return self.render("connectors/choose.html", facts, title="Add a connector")
        return self._show(ConnectorForm(provider=provider_class(name), zone=self.zone))

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Create it, or show the form again with the errors and without the key."""
        provider = provider_class(request.POST.get("provider", ""))
        form = ConnectorForm(request.POST, provider=provider, zone=self.zone)
        if not form.is_valid():
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            connector = connector_create(self.execution_context, workspace_id=self.workspace_id, params=form.params())
        except SHOWN_ERRORS as refusal:
            add_errors(form, refusal)
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        server = form.provider.oauth_server
        next_step = f" Now authorize it at {server.label}." if server else self._first_sync()
        messages.success(request, f"{connector.name} was added.{next_step}")
        return HttpResponseRedirect(page_of_connector(workspace_slug, connector.pk))

    def _first_sync(self) -> str:
        if workspace_lifecycle(self.workspace_id).operations().get("connector.sync", False):
            return " Its first sync is starting."
        return " Its first sync starts as soon as your subscription allows syncing."

    def _show(self, form: ConnectorForm, status: int = HTTPStatus.OK) -> HttpResponse:
        facts = {
            "form": form,
            "provider": provider_choice(form.provider),
            "is_feed": form.provider.name == "usage_feed",
        }
        return self.render("connectors/new.html", facts, title=f"New connector: {form.provider.label}", status=status)


class ConnectorDetail(OneConnectorPage):
    """One connector: status, syncs, months, totals and timeline."""

    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read"}

    def get(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        """The page. While a sync is active, a script reloads its middle part."""
        runs = list(sync_runs_of_connector(self.connector_id)[:_RUNS_SHOWN])
        timeline = list(connector_timeline(self.connector_id)[:_EVENTS_SHOWN])
        people = people_for_tenant(
            self.organization_id, [*(run.actor_label for run in runs), *(event.actor_label for event in timeline)]
        )
        card = ConnectorCard(self.connector)
        verbs, months = verbs_from(card.status), month_lines(self.connector, clock.now(), with_totals=True)
        facts = {
            "card": card,
            "months": months[:_MONTHS_SHOWN],
            "earlier_months": months[_MONTHS_SHOWN:],
            "first_month": str(first_month(self.connector)),
            "waiting": months_waiting(self.connector),
            "month_calendar": describe_months(self.connector),
            "runs": run_lines(runs, people),
            "may_cancel": self.may("connector.sync"),
            "is_active": any(run.finished_at is None for run in runs),
            "totals": months[0].totals if months else [],
            "timeline": [(event, describe_actor(event.actor_label, people)) for event in timeline],
            "settings": card.settings,
            "may_sync": self.may("connector.sync") and card.is_enabled,
            "may_edit": self.may("connector.edit"),
            "may_authorize": self.may("connector.credential"),
            "obstacles": self._obstacles(card),
            "can_enable": "enable" in verbs and self.may("connector.edit"),
            "can_disable": "disable" in verbs and self.may("connectors.disable"),
            "takes_key": card.credential_kind is CredentialKind.API_KEY and self.may("connector.credential"),
        }
        return self.render("connectors/detail.html", facts, title=self.connector.name)

    def _obstacles(self, card: ConnectorCard) -> list[Obstacle]:
        """Why buttons are missing: editing, and syncing where the connector is on; each sentence once."""
        asked = ["connector.edit", *(["connector.sync"] if card.is_enabled else [])]
        found = {obstacle.text: obstacle for name in asked if (obstacle := self.obstacle(name))}
        return list(found.values())


class ConnectorSync(OneConnectorPage):
    """Sync the due months, or one month by its name."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self.act_and_return(lambda: self._queue_runs(request.POST.get("month", "auto")))

    def _queue_runs(self, text: str) -> str:
        try:
            month = None if text == "auto" else Month.read(text)
        except ValueError:
            raise UnprocessableError("Write the month like 2026-04.") from None
        requested = sync_request(self.execution_context, connector_id=self.connector_id, month=month)
        if not requested:
            return "Every month is final. Choose a month to read it again."
        return f"{len(requested)} month{'s' if len(requested) > 1 else ''} will be synced, oldest first."


class ConnectorCancel(OneConnectorPage):
    """Cancel one of its syncs."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self.act_and_return(self._cancel_run)

    def _cancel_run(self) -> str:
        text = self.request.POST.get("run", "")
        run = next((run for run in active_runs(self.connector_id) if str(run.pk) == text), None)
        if run is None:
            raise UnprocessableError("That sync has already ended, or belongs to another connector.")
        sync_run_cancel(self.execution_context, run_id=SyncRunId(run.pk))
        return f"The sync of {write_months(run.month)} was cancelled. What it has read so far is kept."


class ConnectorEnable(OneConnectorPage):
    operations: ClassVar[dict[str, str]] = {"POST": "connector.edit"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self.act_and_return(self._enable)

    def _enable(self) -> str:
        reason = self.request.POST.get("reason", "")
        connector_enable(self.execution_context, connector_id=self.connector_id, reason=reason)
        return "The connector is enabled."


class ConnectorDisable(OneConnectorPage):
    operations: ClassVar[dict[str, str]] = {"POST": "connectors.disable"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self.act_and_return(self._disable)

    def _disable(self) -> str:
        reason = self.request.POST.get("reason", "")
        connector_disable(self.execution_context, connector_id=self.connector_id, reason=reason)
        return "The connector is disabled."


class ConnectorKey(OneConnectorPage):
    """Replace the connector's API key."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.credential", "POST": "connector.credential"}

    def get(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self._show(KeyForm())

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        """Check the key at the provider and store it, or show the form again with the errors."""
        form = KeyForm(request.POST)
        if not form.is_valid():
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            connector_credential_replace(
                self.execution_context, connector_id=self.connector_id, api_key=form.cleaned_data["api_key"]
            )
        except SHOWN_ERRORS as refusal:
            add_errors(form, refusal)
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        messages.success(request, "The key was checked and saved.")
        return self.back()

    def _show(self, form: KeyForm, status: int = HTTPStatus.OK) -> HttpResponse:
        facts = {"form": form, "card": ConnectorCard(self.connector)}
        return self.render("connectors/key.html", facts, title=f"API key for {self.connector.name}", status=status)
