"""GET billing-mode: who decides on an organization's credits, for a product to remember for a while (spec 09)."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import OrganizationId
from apps.core.wire.fields import StrictChoiceField, StrictUUIDField
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.core.wire.serializers import AnswerSerializer
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView
from apps.tenants.contracts import NamedTenant
from apps.tenants.enums import BillingMode, BillingModeSource
from apps.tenants.selectors.billing_modes import billing_mode_of

_QUERY = OpenApiParameter(
    "organization_id",
    StrictUUIDField().wire_schema(),
    description="Without it, the mode of the product's organizations that have none of their own.",
)


class BillingModeAnswer(AnswerSerializer):
    mode = StrictChoiceField(BillingMode)
    source = StrictChoiceField(  # type: ignore[assignment]  # DRF takes it off the class
        BillingModeSource, help_text="What it comes from: organization, percentage or product."
    )


class BillingModeView(ProductView):
    """Who decides on the credits of an organization, with an ETag. It holds from the next call on."""

    operations: ClassVar[dict[str, str]] = {"GET": "billing_mode.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": frozenset({"organization_id"})}

    @documented(
        operation="billing_mode.read",
        responses={200: BillingModeAnswer, 304: None},
        statuses=(404, 422),
        query=(_QUERY,),
        examples=(Example("pilot customer", answer=examples.BILLING_MODE),),
    )
    def get(self, request: Request) -> Response:
        organization_id = _organization_id(request)
        named = [NamedTenant("query: organization_id", organization_id)] if organization_id else []
        context = self.context_for(request, *named)
        if context.product_id is None:
            raise AssertionError("a product's token names a product")
        found = billing_mode_of(context.product_id, organization_id)
        etag = f'"{found.source.value}-{found.mode.value}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers={"ETag": etag})
        answer = BillingModeAnswer({"mode": found.mode, "source": found.source})
        return Response(answer.data, headers={"ETag": etag})


def _organization_id(request: Request) -> OrganizationId | None:
    text = request.query_params.get("organization_id")
    if text is None:
        return None
    try:
        return OrganizationId(StrictUUIDField().to_internal_value(text))
    except FieldRefusedError as refusal:
        raise refusal.below("organization_id").as_error() from refusal
