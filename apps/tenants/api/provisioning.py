"""POST users:upsert, organizations:upsert, workspaces:upsert (spec 09, Provisioning)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.wire.schema import Example, documented
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView, in_body
from apps.tenants.api.bodies import (
    OrganizationAnswer,
    OrganizationBody,
    UserAnswer,
    UserBody,
    WorkspaceAnswer,
    WorkspaceBody,
)
from apps.tenants.contracts import NamedTenant
from apps.tenants.selectors.organizations import organization_exists, organization_of_workspace
from apps.tenants.services import organization_upsert, user_upsert, workspace_upsert
from apps.tenants.services.organizations import OrganizationParams


class UsersUpsertView(ProductView):
    """Make a user, or bring e-mail and name up to date."""

    operations: ClassVar[dict[str, str]] = {"POST": "users.upsert"}

    @documented(
        operation="users.upsert",
        request=UserBody,
        responses={200: UserAnswer, 201: UserAnswer},
        statuses=(409,),
        examples=(Example("user", request=examples.USER, answer=examples.USER_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(UserBody, request)
        context = self.context_for(request)
        outcome = user_upsert(context, user_id=UserId(body["id"]), email=body["email"], name=body["name"])
        user = outcome.record
        answer = UserAnswer(
            {
                "id": user.pk,
                "email": user.email,
                "name": user.name,
                "created": outcome.is_created,
                "applied": outcome.is_applied,
            }
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)


class OrganizationsUpsertView(ProductView):
    """Make an organization with everything that belongs to it, or bring name, slug and time zone up to date."""

    operations: ClassVar[dict[str, str]] = {"POST": "organizations.upsert"}

    @documented(
        operation="organizations.upsert",
        request=OrganizationBody,
        responses={200: OrganizationAnswer, 201: OrganizationAnswer},
        statuses=(409,),
        examples=(Example("organization", request=examples.ORGANIZATION, answer=examples.ORGANIZATION_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(OrganizationBody, request)
        organization_id = OrganizationId(body["id"])
        # An organization that does not exist yet is nobody's: there is no relation to ask for.
        named = [in_body("id", organization_id)] if organization_exists(organization_id) else []
        context = self.context_for(request, *named)
        owner = body.get("owner_user_id")
        params = OrganizationParams(
            name=body["name"],
            kind=body["kind"],
            slug=body.get("slug"),
            time_zone=body.get("time_zone"),
            billing_email=body.get("billing_email"),
            owner_user_id=UserId(owner) if owner else None,
        )
        outcome = organization_upsert(context, organization_id=organization_id, params=params)
        organization = outcome.record
        answer = OrganizationAnswer(
            {
                "id": organization.pk,
                "name": organization.name,
                "slug": organization.slug,
                "kind": organization.kind,
                "time_zone": organization.time_zone,
                "billing_email": organization.billing_email or None,
                "is_demo": organization.is_demo,
                "created": outcome.is_created,
            }
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)


class WorkspacesUpsertView(ProductView):
    """Make a workspace of an organization, or bring name and slug up to date."""

    operations: ClassVar[dict[str, str]] = {"POST": "workspaces.upsert"}

    @documented(
        operation="workspaces.upsert",
        request=WorkspaceBody,
        responses={200: WorkspaceAnswer, 201: WorkspaceAnswer},
        statuses=(404, 409),
        examples=(Example("workspace", request=examples.WORKSPACE, answer=examples.WORKSPACE_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(WorkspaceBody, request)
        workspace_id = WorkspaceId(body["id"])
        context = self.context_for(
            request, *_named_by(body["organization_id"], workspace_id), workspace_id=workspace_id
        )
        outcome = workspace_upsert(
            context,
            workspace_id=workspace_id,
            organization_id=OrganizationId(body["organization_id"]),
            name=body["name"],
            slug=body.get("slug"),
        )
        workspace = outcome.record
        answer = WorkspaceAnswer(
            {
                "id": workspace.pk,
                "organization_id": workspace.organization_id,
                "name": workspace.name,
                "slug": workspace.slug,
                "created": outcome.is_created,
            }
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)


def _named_by(organization_id: UUID, workspace_id: WorkspaceId) -> list[NamedTenant]:
    """The body names the organization twice over once the workspace exists; the two must agree."""
    named = [in_body("organization_id", organization_id)]
    home = organization_of_workspace(workspace_id)
    if home is not None:
        named.append(NamedTenant("the workspace of body: id", home))
    return named
