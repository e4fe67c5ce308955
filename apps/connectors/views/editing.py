"""Edits, tries and removes a connector, and answers what its months ask (spec 06, Connector, Sync run)."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.contracts import Month
from apps.connectors.forms import ConnectorForm
from apps.connectors.providers.registry import provider_class
from apps.connectors.services import connector_remove, connector_update
from apps.connectors.services.trial import connector_try
from apps.connectors.sync.requests import shrink_confirm, shrink_reject
from apps.connectors.views.base import SHOWN_ERRORS, OneConnectorPage, add_errors
from apps.connectors.views.presenters import ConnectorCard, trial_lines
from apps.core.errors import UnprocessableError
from apps.core.moments import write_months


class ConnectorEdit(OneConnectorPage):
    """Its name, its settings and, where that is needed, its key."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.edit", "POST": "connector.edit"}

    def get(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self._show(self._form())

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        """Try it and save it, or show the form again with the errors and without the key."""
        form = self._form(request.POST)
        if not form.is_valid():
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            connector_update(self.execution_context, connector_id=self.connector_id, changes=form.changes())
        except SHOWN_ERRORS as refusal:
            add_errors(form, refusal)
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        messages.success(request, "Your changes are saved.")
        return self.back()

    def _form(self, data: object = None) -> ConnectorForm:
        provider = provider_class(self.connector.provider)
        return ConnectorForm(data, provider=provider, zone=self.zone, connector=self.connector)

    def _show(self, form: ConnectorForm, status: int = HTTPStatus.OK) -> HttpResponse:
        facts = {"form": form, "card": ConnectorCard(self.connector), "may_remove": self.may("connectors.disable")}
        return self.render("connectors/edit.html", facts, title=f"Edit {self.connector.name}", status=status)


class ConnectorRemove(OneConnectorPage):
    operations: ClassVar[dict[str, str]] = {"POST": "connectors.disable"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        """Remove it and go to the list."""
        name = self.connector.name
        try:
            connector_remove(
                self.execution_context, connector_id=self.connector_id, reason=request.POST.get("reason", "")
            )
        except SHOWN_ERRORS as refusal:
            messages.error(request, refusal.detail)
            return self.back()
        messages.success(request, f"{name} was removed. Its billing records stay.")
        return HttpResponseRedirect(reverse("billing-connectors", args=[workspace_slug]))


class ConnectorTest(OneConnectorPage):
    """What the source answers now, and what is understood of it."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.edit", "POST": "connector.edit"}

    def get(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        """How an answer must look; nothing is asked yet."""
        return self._show({})

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        trial = connector_try(self.execution_context, connector_id=self.connector_id)
        return self._show({"trial": trial, "lines": trial_lines(trial)})

    def _show(self, found: dict[str, object]) -> HttpResponse:
        facts = {"card": ConnectorCard(self.connector), "is_feed": self.connector.provider == "usage_feed", **found}
        return self.render("connectors/test.html", facts, title=f"Test {self.connector.name}")


class ConnectorMonth(OneConnectorPage):
    """The answer to the question whether a month may lose most of its records."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    def post(self, request: HttpRequest, workspace_slug: str, connector_id: UUID) -> HttpResponse:
        return self.act_and_return(self._answer)

    def _answer(self) -> str:
        asked = self.request.POST
        try:
            month = Month.read(asked.get("month", ""))
        except ValueError:
            raise UnprocessableError("Write the month like 2026-04.") from None
        context, reason = self.execution_context, asked.get("reason", "")
        if asked.get("answer") == "confirm":
            shrink_confirm(context, connector_id=self.connector_id, month=month, reason=reason)
            return f"{write_months(str(month))} is read again, and may become that small."
        shrink_reject(context, connector_id=self.connector_id, month=month, reason=reason)
        return f"The records of {write_months(str(month))} stay. It is read again in a day."
