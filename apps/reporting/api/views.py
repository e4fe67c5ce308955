"""GET and POST workspaces/{id}/usage:query (spec 07, Usage; spec 09)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import WorkspaceId
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.reporting.api import examples
from apps.reporting.api.bodies import UsageAnswer, UsageBody, usage_values
from apps.reporting.rules.windows import TimeWindow
from apps.reporting.selectors.usage_report import usage_report
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.tenants.api.base import ProductView
from apps.tenants.contracts import NamedTenant
from apps.tenants.selectors.organizations import organization_of_workspace

TIME_WINDOW = OpenApiParameter(
    "time_window",
    {"type": "string", "enum": [window.value for window in TimeWindow]},
    description="`lastMonth` where it is absent.",
)


class UsageView(ProductView):
    """What a workspace used, by timeframe: the product's own operations, and the workspace's connectors."""

    operations: ClassVar[dict[str, str]] = {"GET": "usage.read", "POST": "usage.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": frozenset({"time_window"})}

    @documented(
        operation="usage.read",
        operation_id="usage_query",
        responses={200: UsageAnswer},
        statuses=(404,),
        query=(TIME_WINDOW,),
        examples=(Example("usage", answer=examples.USAGE),),
    )
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """Query the usage of a workspace, the window in the query."""
        try:
            asked = UsageBody.read(request.query_params.dict())
        except FieldRefusedError as refusal:
            raise refusal.as_error() from refusal
        return self._answer(request, WorkspaceId(workspace_id), asked)

    @documented(
        operation="usage.read",
        operation_id="usage_query_by_body",
        request=UsageBody,
        responses={200: UsageAnswer},
        statuses=(404,),
        examples=(Example("usage", request=examples.QUERY, answer=examples.USAGE),),
    )
    def post(self, request: Request, workspace_id: UUID) -> Response:
        """Query the usage of a workspace, the window in the body."""
        return self._answer(request, WorkspaceId(workspace_id), self.read(UsageBody, request))

    def _answer(self, request: Request, workspace_id: WorkspaceId, asked: dict[str, TimeWindow]) -> Response:
        organization_id = organization_of_workspace(workspace_id)
        if organization_id is None:
            self.context_for(request)
            raise unknown_workspace(workspace_id)
        context = self.context_for(
            request, NamedTenant("the workspace of the URL", organization_id), workspace_id=workspace_id
        )
        window = asked.get("time_window", TimeWindow.LAST_MONTH)
        # Of others' work a product sees no operation, here as in the entries (spec 09, Credits).
        report = usage_report(organization_id, workspace_id, window, product_id=context.product_id)
        return Response(UsageAnswer(usage_values(workspace_id, report)).data)
