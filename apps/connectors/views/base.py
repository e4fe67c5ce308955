"""Base classes of the connector pages: the connector of the URL, and actions whose errors are shown there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.forms import ConnectorForm, KeyForm
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.core.errors import (
    ConflictError,
    CountinghouseError,
    MalformedRequestError,
    NotFoundError,
    UnavailableError,
    UnprocessableError,
)
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.tenants.pages import BillingPage

# A person can correct these, so that the page shows them. Any other error has a page of its own.
SHOWN_ERRORS = (ConflictError, MalformedRequestError, UnprocessableError, UnavailableError)


class ConnectorsPage(BillingPage):
    """Base of the pages about the workspace's connectors."""

    page = "connectors"

    @property
    def workspace_id(self) -> WorkspaceId:
        return WorkspaceId(self.workspace.pk)

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.workspace.organization.time_zone)


class OneConnectorPage(ConnectorsPage):
    """Base of the pages about one connector."""

    kwargs: dict[str, Any]

    @cached_property
    def connector(self) -> Connector:
        """The connector of the URL; one of another workspace answers like one that does not exist."""
        found = connectors_of_workspace(self.workspace_id).filter(pk=self.kwargs["connector_id"]).first()
        if found is None:
            raise NotFoundError("There is nothing at this address, or it is not visible to you.")
        return found

    @property
    def connector_id(self) -> ConnectorId:
        return ConnectorId(self.connector.pk)

    def back(self) -> HttpResponse:
        """Redirect to the connector's page."""
        return HttpResponseRedirect(page_of_connector(self.workspace.slug, self.connector.pk))

    def act_and_return(self, act: Callable[[], str]) -> HttpResponse:
        """Run the action and redirect to the connector's page with its message, or with that of its error."""
        try:
            messages.success(self.request, act())
        except SHOWN_ERRORS as refusal:
            messages.error(self.request, refusal.detail)
        return self.back()


def add_errors(form: ConnectorForm | KeyForm, refusal: CountinghouseError) -> None:
    """Show each error at its field, or above the form."""
    for error in refusal.errors:
        form.place_error(error.field, error.message)
    if not refusal.errors:
        form.add_error(None, refusal.detail)


def page_of_connector(workspace_slug: str, connector_id: UUID) -> str:
    return reverse("billing-connector", args=[workspace_slug, connector_id])
