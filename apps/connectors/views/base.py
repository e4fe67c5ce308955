"""What the pages of connectors share: the connector of the URL, and how a refusal is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.core.errors import ConflictError, NotFoundError, UnavailableError, UnprocessableError
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.tenants.pages import BillingPage

# What a person may mend: said on the page. Everything else is a page of its own.
SHOWN_ERRORS = (ConflictError, UnprocessableError, UnavailableError)


class ConnectorsPage(BillingPage):
    """Base of the pages about the workspace's connectors."""

    page = "connectors"

    @property
    def workspace_id(self) -> WorkspaceId:
        """The workspace of the URL."""
        return WorkspaceId(self.workspace.pk)

    @property
    def zone(self) -> tzinfo:
        """The organization's time zone, in which its pages say every moment."""
        return zone_of(self.workspace.organization.time_zone)


class OneConnectorPage(ConnectorsPage):
    """Base of the pages about one connector."""

    kwargs: dict[str, Any]

    @cached_property
    def connector(self) -> Connector:
        """The connector of the URL, in the workspace of the URL; another's answers like one that is not there."""
        found = connectors_of_workspace(self.workspace_id).filter(pk=self.kwargs["connector_id"]).first()
        if found is None:
            raise NotFoundError("There is nothing here that you can see.")
        return found

    @property
    def connector_id(self) -> ConnectorId:
        """The typed id of the connector."""
        return ConnectorId(self.connector.pk)

    def back(self) -> HttpResponse:
        """To the connector's page."""
        return HttpResponseRedirect(page_of_connector(self.workspace.slug, self.connector.pk))

    def act_and_return(self, act: Callable[[], str]) -> HttpResponse:
        """Do it, and go back with its sentence, or with that of its refusal."""
        try:
            messages.success(self.request, act())
        except SHOWN_ERRORS as refusal:
            messages.error(self.request, refusal.detail)
        return self.back()


def page_of_connector(workspace_slug: str, connector_id: UUID) -> str:
    """The address of a connector's page."""
    return reverse("billing-connector", args=[workspace_slug, connector_id])
