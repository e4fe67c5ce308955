"""POST portal-sessions: a product sends one of its people to the pages of a workspace (spec 09, Provisioning)."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import NotFoundError
from apps.core.ids import UserId, WorkspaceId
from apps.core.wire.schema import Example, documented
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView
from apps.tenants.api.bodies import PortalSessionAnswer, PortalSessionBody
from apps.tenants.contracts import NamedTenant
from apps.tenants.selectors.organizations import organization_of_workspace
from apps.tenants.services import portal_session_create


class PortalSessionsView(ProductView):
    """Make a link that signs a member in to a workspace's pages for an hour. Each call makes another one."""

    operations: ClassVar[dict[str, str]] = {"POST": "portal_sessions.create"}

    @documented(
        operation="portal_sessions.create",
        request=PortalSessionBody,
        responses={201: PortalSessionAnswer},
        statuses=(404, 409),
        examples=(Example("visit", request=examples.PORTAL_SESSION, answer=examples.PORTAL_SESSION_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(PortalSessionBody, request)
        workspace_id, user_id = WorkspaceId(body["workspace_id"]), UserId(body["user_id"])
        organization_id = organization_of_workspace(workspace_id)
        if organization_id is None:
            raise NotFoundError(f"There is no workspace {workspace_id}. Make it first: POST workspaces:upsert.")
        named = NamedTenant("the workspace of body: workspace_id", organization_id)
        context = self.context_for(request, named, workspace_id=workspace_id, acting_user_id=user_id)
        link, url = portal_session_create(
            context, user_id=user_id, workspace_id=workspace_id, return_url=body.get("return_url", "")
        )
        answer = PortalSessionAnswer({"url": url, "expires_at": link.expires_at})
        return Response(answer.data, status=201, headers={"Cache-Control": "no-store"})
