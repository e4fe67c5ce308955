"""The membership authority's endpoints (spec 02, Membership authority; spec 09, Provisioning)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import OrganizationId, UserId
from apps.core.wire.answers import reason_values
from apps.core.wire.pagination import PAGE_PARAMETERS, page_of, page_request
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import PAGE_QUERY, Example, documented
from apps.core.wire.values import StrictTimeField
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView, in_url
from apps.tenants.api.bodies import (
    MemberAnswer,
    MemberBody,
    MemberRemovalAnswer,
    MembersPage,
    MemberUpsertAnswer,
    RelationAnswer,
    RelationBody,
)
from apps.tenants.models import Membership
from apps.tenants.selectors.members import members_of, membership_of
from apps.tenants.services import member_remove, member_report, product_relation_upsert
from apps.tenants.services.members import not_a_member

CHANGED_AT = OpenApiParameter(
    "changed_at",
    {"type": "string", "format": "date-time"},
    description="Since when the person is no member, in RFC 3339 (write `+` as `%2B`); the default is now.",
)


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
        outcome = member_report(
            context,
            organization_id=OrganizationId(organization_id),
            user_id=UserId(body["user_id"]),
            role=body["role"],
            changed_at=body.get("changed_at"),
        )
        membership = outcome.record
        answer = MemberUpsertAnswer(
            {
                **_member_values(membership),
                "created": outcome.is_created,
                "applied": outcome.is_applied,
                "explanation": reason_values(outcome.explanation),
            }
        )
        return Response(answer.data, status=201 if outcome.is_created else 200)


class MemberView(ProductView):
    """One membership: read it, or end it."""

    operations: ClassVar[dict[str, str]] = {"GET": "members.read", "DELETE": "members.remove"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"DELETE": frozenset({"changed_at"})}

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
        return Response(MemberAnswer(_member_values(membership)).data)

    @documented(
        operation="members.remove",
        responses={204: None, 200: MemberRemovalAnswer},
        statuses=(404, 409, 422),
        query=(CHANGED_AT,),
        examples=(Example("of an owner, by a product", answer=examples.MEMBER_STAYS),),
    )
    def delete(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        """End one membership."""
        context = self.context_for(request, in_url(organization_id))
        removal = member_remove(
            context,
            organization_id=OrganizationId(organization_id),
            user_id=UserId(user_id),
            changed_at=_changed_at(request),
        )
        if removal.is_applied:
            return Response(status=204)
        answer = MemberRemovalAnswer({"applied": False, "explanation": reason_values(removal.explanation)})
        return Response(answer.data)


class MembersView(ProductView):
    """The members of an organization, in the order of their ids."""

    operations: ClassVar[dict[str, str]] = {"GET": "members.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}

    @documented(
        operation="members.read",
        operation_id="members_list",
        responses={200: MembersPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("members", answer=examples.MEMBERS),),
    )
    def get(self, request: Request, organization_id: UUID) -> Response:
        self.context_for(request, in_url(organization_id))
        asked = page_request(request, f"members:{organization_id}")
        page = page_of(members_of(OrganizationId(organization_id)), asked, ("user",), newest_first=False)
        members = [MemberAnswer(_member_values(membership)).data for membership in page.items]
        return Response({"members": members, "next_cursor": page.next_cursor})


def _member_values(membership: Membership) -> dict[str, Any]:
    return {
        "organization_id": membership.organization_id,
        "user_id": membership.user_id,
        "role": membership.role,
        "changed_at": membership.role_changed_at,
    }


def _changed_at(request: Request) -> datetime | None:
    """The moment of the removal, as the query names it; read as a body's times are."""
    text = request.query_params.get("changed_at")
    if text is None:
        return None
    try:
        return StrictTimeField().to_internal_value(text)
    except FieldRefusedError as refusal:
        raise refusal.below("changed_at").as_error() from refusal


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
