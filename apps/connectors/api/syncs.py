"""POST connectors/{id}/syncs and GET sync-runs/{id}: a product, a cron token or a signed-in person (spec 06, spec 09).

A person needs tenant `admin` or platform `billing_operations` to sync. A cron token is judged by the job that it could
start instead.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.connectors.api import examples
from apps.connectors.api.bodies import (
    SyncAnswerBody,
    SyncBody,
    SyncRunAnswer,
    queued_values,
    sync_run_values,
)
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.selectors.syncs import sync_run_of
from apps.connectors.sync.guards import require_operation
from apps.connectors.sync.requests import sync_request
from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError, UnauthenticatedError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.observability.requests import current_request_id
from apps.core.wire.schema import BEARER, CRON, SESSION, Example, documented
from apps.core.wire.views import InternalView
from apps.tenants.access import api_context, job_context
from apps.tenants.authentication import CronOrUserAuthentication
from apps.tenants.contracts import CronCaller, NamedTenant, Person, ProductCaller
from apps.tenants.permissions import operation_name


class KnownCaller(BasePermission):
    """A token whose scope reaches the operation, or a signed-in person, whose role is asked in the tenant."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        operation, caller = operation_name(request, view), request.auth
        if operation is None or isinstance(caller, Person):
            return True
        if isinstance(caller, ProductCaller):
            require_operation(api_context(caller, request_id=current_request_id()), operation)
            return True
        if isinstance(caller, CronCaller):
            context = job_context(caller, organization_id=None, request_id=current_request_id())
            require_operation(context, operation)
            return True
        raise UnauthenticatedError("Send a service token (Authorization: Bearer <token>), or sign in.")


class SyncEndpoint(InternalView):
    """Base of the two: the tenant is the connector's, whoever asks."""

    authentication_classes = (CronOrUserAuthentication,)
    permission_classes = (KnownCaller,)

    def context_in(self, request: Request, connector: Connector) -> ExecutionContext:
        """The caller's context in the connector's organization, which reaches the method's operation."""
        organization_id = OrganizationId(connector.workspace.organization_id)
        caller = request.auth
        if isinstance(caller, ProductCaller):
            named = NamedTenant("the connector of the URL", organization_id)
            workspace_id = WorkspaceId(connector.workspace_id)
            context = api_context(caller, request_id=current_request_id(), named=(named,), workspace_id=workspace_id)
        elif isinstance(caller, Person | CronCaller):
            context = job_context(caller, organization_id=organization_id, request_id=current_request_id())
        else:
            raise UnauthenticatedError("Send a service token (Authorization: Bearer <token>), or sign in.")
        require_operation(context, self.operations[request.method or ""])
        return context


def _hidden_from_people(request: Request, error: NotFoundError) -> NotFoundError:
    """For a person the very answer that the connector of an invisible tenant gets."""
    is_person = isinstance(request.auth, Person)
    return NotFoundError("There is nothing at this address, or it is not visible to you.") if is_person else error


class ConnectorSyncsView(SyncEndpoint):
    """Sync a connector now: what is due, or one month by its name."""

    operations: ClassVar[dict[str, str]] = {"POST": "connector.sync"}

    @documented(
        operation="connector.sync",
        request=SyncBody,
        responses={202: SyncAnswerBody},
        statuses=(404, 409),
        callers=(BEARER, CRON, SESSION),
        examples=(
            Example("what is due", request=examples.AUTO, answer=examples.QUEUED),
            Example("one month", request=examples.BY_NAME),
        ),
    )
    def post(self, request: Request, connector_id: UUID) -> Response:
        body = self.read(SyncBody, request)
        try:
            connector = connector_of(ConnectorId(connector_id))
        except NotFoundError as error:
            raise _hidden_from_people(request, error) from None
        context = self.context_in(request, connector)
        requested = sync_request(context, connector_id=ConnectorId(connector_id), month=body["month"])
        return Response(SyncAnswerBody(queued_values(requested)).data, status=202)


class SyncRunView(SyncEndpoint):
    """What became of a sync run, also while it runs."""

    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read"}

    @documented(
        operation="connectors.read",
        operation_id="sync_run_read",
        responses={200: SyncRunAnswer},
        statuses=(404,),
        callers=(BEARER, CRON, SESSION),
        examples=(Example("sync run", answer=examples.RUN),),
    )
    def get(self, request: Request, sync_run_id: UUID) -> Response:
        try:
            run = sync_run_of(SyncRunId(sync_run_id))
        except NotFoundError as error:
            raise _hidden_from_people(request, error) from None
        self.context_in(request, run.connector)
        return Response(SyncRunAnswer(sync_run_values(run)).data)
