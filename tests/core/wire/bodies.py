"""Bodies and a view as an app would declare them, and the naive ones that a plain DRF project would."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from apps.core.enums import MembershipRole
from apps.core.wire import fields, values
from apps.core.wire.schema import documented
from apps.core.wire.serializers import AnswerSerializer, StrictListField, StrictListSerializer, StrictSerializer
from apps.core.wire.views import InternalView


class MemberRequest(StrictSerializer):
    user_id = fields.StrictUUIDField()
    role = fields.StrictChoiceField(MembershipRole)


class GrantRequest(StrictSerializer):
    grant_type = fields.StrictSlugField()
    amount = values.AmountField(required=False)
    note = fields.StrictCharField(required=False, allow_null=True)
    members = StrictListSerializer(child=MemberRequest(), required=False, max_length=3)
    first_member = MemberRequest(required=False)
    tags = StrictListField(fields.StrictSlugField(), most=2, required=False)


class GrantAnswer(AnswerSerializer):
    grant_type = fields.StrictSlugField()


class GrantView(InternalView):
    """Reads a grant and says what it understood."""

    authentication_classes = ()
    permission_classes = ()
    operations: ClassVar[dict[str, str]] = {"POST": "users.upsert", "GET": "users.upsert"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": frozenset({"cursor", "limit"})}
    failure: ClassVar[Exception | None] = None

    @documented(operation="users.upsert", request=GrantRequest, responses={200: GrantAnswer})
    def post(self, request: Request) -> Response:
        if self.failure is not None:
            raise self.failure
        return Response({"read": sorted(self.read(GrantRequest, request))})

    @documented(operation="users.upsert", responses={200: GrantAnswer})
    def get(self, request: Request) -> Response:
        return Response({})


class NaiveGrant(serializers.Serializer[Any]):  # noqa: TID251 - the control
    """What a plain DRF project would write: the negative control."""

    grant_type = serializers.SlugField()
    amount = serializers.DecimalField(max_digits=20, decimal_places=6, required=False)


def post(body: Any, *, view: type[GrantView] = GrantView, **extra: Any) -> Any:
    """The answer to a body: bytes or text as they are, anything else as JSON."""
    data: Any = body if isinstance(body, str | bytes) else json.dumps(body)
    extra = {"content_type": "application/json", **extra}
    response = view.as_view()(APIRequestFactory().generic("POST", "/grants", data, **extra))
    response.render() if hasattr(response, "render") else None
    return response


def errors_of(response: Any) -> dict[str, str]:
    """Field -> code of a problem document."""
    return {error["field"]: error["code"] for error in json.loads(response.content).get("errors", [])}
