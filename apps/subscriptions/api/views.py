"""GET workspaces/{id}/lifecycle, GET …/payment-config, POST …/payment-config/end-grace-period (spec 09, Gate)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.wire.schema import Example, documented
from apps.core.wire.serializers import EmptyRequest
from apps.subscriptions.api import examples
from apps.subscriptions.api.bodies import LifecycleAnswer, PaymentConfigAnswer
from apps.subscriptions.rules.lifecycle import resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.subscriptions.selectors.records import payment_config_of
from apps.subscriptions.services import end_grace_period
from apps.tenants.api.base import ProductView, in_url
from apps.tenants.contracts import NamedTenant
from apps.tenants.services.refusals import unknown_organization


class LifecycleView(ProductView):
    """What a workspace may do now, and why."""

    operations: ClassVar[dict[str, str]] = {"GET": "lifecycle.read"}

    @documented(
        operation="lifecycle.read",
        responses={200: LifecycleAnswer},
        statuses=(404,),
        examples=(Example("trial", answer=examples.LIFECYCLE),),
    )
    def get(self, request: Request, workspace_id: UUID) -> Response:
        facts = workspace_facts(WorkspaceId(workspace_id))
        context = self.context_for(
            request,
            NamedTenant("the workspace of the URL", facts.organization_id),
            workspace_id=facts.workspace_id,
        )
        decision = resolve(facts)
        answer = LifecycleAnswer(
            {
                "workspace_id": decision.workspace_id,
                "state": decision.state,
                "source": decision.source,
                "operations": decision.operations(role=context.role),
                "reasons": [{"rule": step.rule, "fact": step.fact, "record": step.record} for step in decision.reasons],
                "needs_review": decision.needs_review,
            }
        )
        return Response(answer.data)


class PaymentConfigView(ProductView):
    """An organization's payment config."""

    operations: ClassVar[dict[str, str]] = {"GET": "payment_configs.read"}

    @documented(
        operation="payment_configs.read",
        responses={200: PaymentConfigAnswer},
        statuses=(404,),
        examples=(Example("payment config", answer=examples.PAYMENT_CONFIG),),
    )
    def get(self, request: Request, organization_id: UUID) -> Response:
        self.context_for(request, in_url(organization_id))
        config = payment_config_of(OrganizationId(organization_id))
        if config is None:
            raise unknown_organization(OrganizationId(organization_id))
        answer = PaymentConfigAnswer(
            {
                "organization_id": config.organization_id,
                "payment_status": config.payment_status,
                "subscription_status": config.subscription_status,
                "grace_period_end_at": config.grace_period_end_at,
                "usage_category_override": config.usage_category_override or None,
                "payment_provider_id": config.payment_provider_id,
                "orb_customer_id": config.orb_customer_id,
            }
        )
        return Response(answer.data)


class EndGracePeriodView(ProductView):
    """End the running grace period now, which disables payments."""

    operations: ClassVar[dict[str, str]] = {"POST": "payment_configs.end_grace"}

    @documented(
        operation="payment_configs.end_grace",
        request=EmptyRequest,
        responses={204: None},
        statuses=(404, 409),
        examples=(Example("nothing to say", request={}),),
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        self.read(EmptyRequest, request)
        context = self.context_for(request, in_url(organization_id))
        end_grace_period(context, organization_id=OrganizationId(organization_id))
        return Response(status=204)
