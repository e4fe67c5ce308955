"""The base of every view that products call."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request

from apps.core.context import ExecutionContext
from apps.core.errors import UnauthenticatedError
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.observability.requests import current_request_id
from apps.core.operations import require
from apps.core.wire.views import InternalView
from apps.tenants.access import api_context
from apps.tenants.authentication import ServiceTokenAuthentication
from apps.tenants.contracts import CronCaller, NamedTenant, ProductCaller
from apps.tenants.permissions import HoldsScope


class ProductView(InternalView):
    """A view that takes a service token. `context_for` is the one way to a context."""

    authentication_classes = (ServiceTokenAuthentication,)
    permission_classes = (HoldsScope,)

    def context_for(
        self,
        request: Request,
        *named: NamedTenant,
        workspace_id: WorkspaceId | None = None,
        acting_user_id: UserId | None = None,
    ) -> ExecutionContext:
        """The context in which the product acts for the tenant that the request names, or the denial."""
        if not isinstance(request.auth, ProductCaller | CronCaller):
            raise UnauthenticatedError("Send a service token: Authorization: Bearer <token>.")
        context = api_context(
            request.auth,
            request_id=current_request_id(),
            named=named,
            workspace_id=workspace_id,
            acting_user_id=acting_user_id,
        )
        require(context, self.operations[request.method or ""])
        return context


def in_url(organization_id: UUID) -> NamedTenant:
    """The organization that the URL names."""
    return NamedTenant("URL", OrganizationId(organization_id))


def in_body(field: str, organization_id: UUID) -> NamedTenant:
    """The organization that a field of the body names."""
    return NamedTenant(f"body: {field}", OrganizationId(organization_id))
