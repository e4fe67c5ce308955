"""GET and POST workspaces/{id}/connectors, GET, PATCH and DELETE connectors/{id}, :enable, :disable,
…/credential, …/months/{month}:confirm and :reject (spec 09)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.connectors.api import examples
from apps.connectors.api.bodies import (
    ConnectorAnswer,
    ConnectorBody,
    ConnectorChangesBody,
    ConnectorDetailAnswer,
    ConnectorPage,
    CredentialBody,
    ReasonBody,
    SyncAnswerBody,
    connector_values,
    event_values,
    queued_values,
    waiting_values,
)
from apps.connectors.contracts import Month
from apps.connectors.ids import ConnectorId
from apps.connectors.selectors.connectors import connector_of, connector_timeline, connectors
from apps.connectors.services import (
    ConnectorChanges,
    ConnectorParams,
    connector_create,
    connector_credential_replace,
    connector_disable,
    connector_enable,
    connector_remove,
    connector_update,
)
from apps.connectors.sync.requests import months_waiting, shrink_confirm, shrink_reject
from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.wire.pagination import PAGE_PARAMETERS, page_of, page_parts, page_request
from apps.core.wire.schema import PAGE_QUERY, Example, documented
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.tenants.api.base import ProductView
from apps.tenants.contracts import NamedTenant
from apps.tenants.selectors.members import people_for_tenant
from apps.tenants.selectors.organizations import organization_of_workspace

_EVENTS_SHOWN = 20


class ConnectorsView(ProductView):
    """The connectors of a workspace."""

    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read", "POST": "connector.edit"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}

    @documented(
        operation="connectors.read",
        operation_id="connectors_list",
        responses={200: ConnectorPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("connectors", answer=examples.PAGE),),
    )
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """List the connectors of a workspace."""
        self._context(request, WorkspaceId(workspace_id))
        asked = page_request(request, f"connectors:{workspace_id}")
        page = page_of(connectors().filter(workspace=workspace_id), asked, ("created_at", "id"))
        return Response(page_parts(page, [ConnectorAnswer(connector_values(row)).data for row in page.items]))

    @documented(
        operation="connector.edit",
        operation_id="connectors_create",
        request=ConnectorBody,
        responses={201: ConnectorAnswer},
        statuses=(404, 409),
        examples=(
            Example("with a key", request=examples.CREATE, answer=examples.CONNECTOR),
            Example("without a key", request=examples.CREATE_PENDING),
        ),
    )
    def post(self, request: Request, workspace_id: UUID) -> Response:
        """Make a connector in a workspace."""
        body = self.read(ConnectorBody, request)
        context = self._context(request, WorkspaceId(workspace_id))
        params = ConnectorParams(
            provider=body["provider"],
            name=body["name"],
            settings=body.get("settings", {}),
            api_key=body.get("api_key"),
            first_month=body.get("first_month"),
        )
        connector = connector_create(context, workspace_id=WorkspaceId(workspace_id), params=params)
        return _connector_response(ConnectorId(connector.pk), status=201)

    def _context(self, request: Request, workspace_id: WorkspaceId) -> ExecutionContext:
        organization_id = organization_of_workspace(workspace_id)
        if organization_id is None:
            raise unknown_workspace(workspace_id)
        named = NamedTenant("the workspace of the URL", organization_id)
        return self.context_for(request, named, workspace_id=workspace_id)


class OneConnectorView(ProductView):
    """Base of the views of one connector."""

    def connector_context(self, request: Request, connector_id: UUID) -> ExecutionContext:
        """The context in the connector's own organization; raises `NotFoundError` `unknown_connector`."""
        connector = connector_of(ConnectorId(connector_id))
        named = NamedTenant("the connector of the URL", OrganizationId(connector.workspace.organization_id))
        return self.context_for(request, named, workspace_id=WorkspaceId(connector.workspace_id))


class ConnectorView(OneConnectorView):
    """One connector, with the latest of its timeline."""

    deletes_with_body: ClassVar[bool] = True

    operations: ClassVar[dict[str, str]] = {
        "GET": "connectors.read",
        "PATCH": "connector.edit",
        "DELETE": "connectors.disable",
    }

    @documented(
        operation="connectors.read",
        operation_id="connector_read",
        responses={200: ConnectorDetailAnswer},
        statuses=(404,),
        examples=(Example("connector", answer=examples.DETAIL),),
    )
    def get(self, request: Request, connector_id: UUID) -> Response:
        self.connector_context(request, connector_id)
        events = list(connector_timeline(ConnectorId(connector_id))[:_EVENTS_SHOWN])
        connector = connector_of(ConnectorId(connector_id))
        organization_id = OrganizationId(connector.workspace.organization_id)
        people = people_for_tenant(organization_id, [event.actor_label for event in events])
        timeline = [event_values(event, people) for event in events]
        waiting = [waiting_values(state) for state in months_waiting(connector)]
        values = {**connector_values(connector), "months_waiting": waiting, "timeline": timeline}
        return Response(ConnectorDetailAnswer(values).data)

    @documented(
        operation="connector.edit",
        operation_id="connector_update",
        request=ConnectorChangesBody,
        responses={200: ConnectorAnswer},
        statuses=(404, 409),
        examples=(Example("rename", request=examples.CHANGES, answer=examples.CHANGED),),
    )
    def patch(self, request: Request, connector_id: UUID) -> Response:
        """Rename it, or give it other settings or another key. A key alone is taken in a grace period too."""
        body = self.read(ConnectorChangesBody, request)
        context = self.connector_context(request, connector_id)
        connector_update(context, connector_id=ConnectorId(connector_id), changes=ConnectorChanges(**body))
        return _connector_response(ConnectorId(connector_id))

    @documented(
        operation="connectors.disable",
        operation_id="connector_remove",
        request=ReasonBody,
        responses={204: None},
        statuses=(404,),
        examples=(Example("remove", request=examples.REASON),),
    )
    def delete(self, request: Request, connector_id: UUID) -> Response:
        """Remove it: its records stay, its key is deleted, its name is free."""
        body = self.read(ReasonBody, request)
        context = self.connector_context(request, connector_id)
        connector_remove(context, connector_id=ConnectorId(connector_id), reason=body["reason"])
        return Response(status=204)


def _month(text: str) -> Month:
    """The month of the address."""
    try:
        return Month.read(text)
    except ValueError as error:
        raise NotFoundError(f"{error}") from None


class ShrinkConfirmView(OneConnectorView):
    """Let a month become as small as its latest sync would have made it."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    @documented(
        operation="connector.sync",
        operation_id="connector_month_confirm",
        request=ReasonBody,
        responses={202: SyncAnswerBody},
        statuses=(404, 409),
        examples=(Example("confirm", request=examples.REASON, answer=examples.QUEUED),),
    )
    def post(self, request: Request, connector_id: UUID, month: str) -> Response:
        body = self.read(ReasonBody, request)
        context = self.connector_context(request, connector_id)
        requested = shrink_confirm(
            context, connector_id=ConnectorId(connector_id), month=_month(month), reason=body["reason"]
        )
        return Response(SyncAnswerBody(queued_values(requested)).data, status=202)


class ShrinkRejectView(OneConnectorView):
    """Keep the records of a month; it is read again a day later."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    @documented(
        operation="connector.sync",
        operation_id="connector_month_reject",
        request=ReasonBody,
        responses={204: None},
        statuses=(404, 409),
        examples=(Example("reject", request=examples.REASON),),
    )
    def post(self, request: Request, connector_id: UUID, month: str) -> Response:
        body = self.read(ReasonBody, request)
        context = self.connector_context(request, connector_id)
        shrink_reject(context, connector_id=ConnectorId(connector_id), month=_month(month), reason=body["reason"])
        return Response(status=204)


class ConnectorEnableView(OneConnectorView):
    """Enable a connector that is off."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.edit"}

    @documented(
        operation="connector.edit",
        operation_id="connector_enable",
        request=ReasonBody,
        responses={200: ConnectorAnswer},
        statuses=(404, 409),
        examples=(Example("enable", request=examples.REASON, answer=examples.CONNECTOR),),
    )
    def post(self, request: Request, connector_id: UUID) -> Response:
        body = self.read(ReasonBody, request)
        context = self.connector_context(request, connector_id)
        connector_enable(context, connector_id=ConnectorId(connector_id), reason=body["reason"])
        return _connector_response(ConnectorId(connector_id))


class ConnectorDisableView(OneConnectorView):
    """Disable a connector: it stays so until it is enabled."""

    operations: ClassVar[dict[str, str]] = {"POST": "connectors.disable"}

    @documented(
        operation="connectors.disable",
        operation_id="connector_disable",
        request=ReasonBody,
        responses={200: ConnectorAnswer},
        statuses=(404, 409),
        examples=(Example("disable", request=examples.REASON, answer=examples.DISABLED),),
    )
    def post(self, request: Request, connector_id: UUID) -> Response:
        body = self.read(ReasonBody, request)
        context = self.connector_context(request, connector_id)
        connector_disable(context, connector_id=ConnectorId(connector_id), reason=body["reason"])
        return _connector_response(ConnectorId(connector_id))


class ConnectorCredentialView(OneConnectorView):
    """Put another key in the place of the connector's; it is tried first."""

    operations: ClassVar[dict[str, str]] = {"PUT": "connector.credential"}

    @documented(
        operation="connector.credential",
        operation_id="connector_credential_replace",
        request=CredentialBody,
        responses={200: ConnectorAnswer},
        statuses=(404,),
        examples=(Example("key", request=examples.CREDENTIAL, answer=examples.CONNECTOR),),
    )
    def put(self, request: Request, connector_id: UUID) -> Response:
        body = self.read(CredentialBody, request)
        context = self.connector_context(request, connector_id)
        connector_credential_replace(context, connector_id=ConnectorId(connector_id), api_key=body["api_key"])
        return _connector_response(ConnectorId(connector_id))


def _connector_response(connector_id: ConnectorId, *, status: int = 200) -> Response:
    return Response(ConnectorAnswer(connector_values(connector_of(connector_id))).data, status=status)
