"""The membership authority's endpoints (spec 02, Membership authority; spec 09, Provisioning)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import OrganizationId, UserId
from apps.core.wire.schema import Example, documented
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView, in_url
from apps.tenants.api.bodies import MemberAnswer, MemberBody, MemberUpsertAnswer, RelationAnswer, RelationBody
from apps.tenants.selectors.members import membership_of
from apps.tenants.services import member_remove, member_upsert, product_relation_upsert
from apps.tenants.services.members import not_a_member


class MembersUpsertView(ProductView):
    """Report a membership."""

    operations: ClassVar[dict[str, str]] = {"POST": "members.upsert"}

    @documented(
        operation="members.upsert",
        request=MemberBody,
        responses={200: MemberUpsertAnswer, 201: MemberUpsertAnswer},
        statuses=(404, 409),
        examples=(Example("member", request=examples.MEMBER, answer=examples.MEMBER_ANSWER),),
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        body = self.read(MemberBody, request)
        context = self.context_for(request, in_url(organization_id))
        outcome = member_upsert(
            context,
            organization_id=OrganizationId(organization_id),
            user_id=UserId(body["user_id"]),
            role=body["role"],
            changed_at=body.get("changed_at"),
        )
        membership = outcome.record
        answer = MemberUpsertAnswer(
            {
                "organization_id": membership.organization_id,
                "user_id": membership.user_id,
                "role": membership.role,
                "changed_at": membership.role_changed_at,
                "created": outcome.is_created,
                "applied": outcome.is_applied,
            }
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)


class MemberView(ProductView):
    """One membership: read it, or end it."""

    operations: ClassVar[dict[str, str]] = {"GET": "members.read", "DELETE": "members.remove"}

    @documented(
        operation="members.read",
        responses={200: MemberAnswer},
        statuses=(404,),
        examples=(Example("member", answer=examples.MEMBER_READ),),
    )
    def get(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        """Read one membership."""
        self.context_for(request, in_url(organization_id))
        membership = membership_of(OrganizationId(organization_id), UserId(user_id))
        if membership is None:
            raise not_a_member(OrganizationId(organization_id), UserId(user_id))
        answer = MemberAnswer(
            {
                "organization_id": membership.organization_id,
                "user_id": membership.user_id,
                "role": membership.role,
                "changed_at": membership.role_changed_at,
            }
        )
        return Response(answer.data)

    @documented(operation="members.remove", responses={204: None}, statuses=(404, 409))
    def delete(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        """End one membership."""
        context = self.context_for(request, in_url(organization_id))
        member_remove(context, organization_id=OrganizationId(organization_id), user_id=UserId(user_id))
        return Response(status=204)


class RelationsUpsertView(ProductView):
    """The identity service lets a product speak of an organization."""

    operations: ClassVar[dict[str, str]] = {"POST": "organizations.relate_product"}

    @documented(
        operation="organizations.relate_product",
        request=RelationBody,
        responses={200: RelationAnswer, 201: RelationAnswer},
        statuses=(404,),
        examples=(Example("relation", request=examples.RELATION, answer=examples.RELATION_ANSWER),),
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        body = self.read(RelationBody, request)
        context = self.context_for(request, in_url(organization_id))
        outcome = product_relation_upsert(
            context, organization_id=OrganizationId(organization_id), product_slug=body["product"]
        )
        answer = RelationAnswer(
            {"organization_id": organization_id, "product": body["product"], "created": outcome.is_created}
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)
