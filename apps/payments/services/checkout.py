"""Starting a Stripe Checkout session, opening the customer portal (spec 04, Checkout and portal).

The key of the call is committed, with the audit entry and the tracking event, before the call is made: a repeated
attempt sends the same key, and Stripe answers it with the same session.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, UnavailableError, UnprocessableError
from apps.core.ids import AuditTarget, OrganizationId, WorkspaceId
from apps.core.operations import require
from apps.payments.events import CHECKOUT_STARTED, PORTAL_OPENED
from apps.payments.providers.contract import ProviderCallError
from apps.payments.providers.stripe.api import CheckoutParams, StripeApi, stripe_api
from apps.payments.record_steps import facts_of, mirrored_subscriptions
from apps.payments.rules.following import is_sold
from apps.payments.tracking import CheckoutStarted, billing_event_record
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.models import Plan
from apps.subscriptions.rules.transitions import is_new_start
from apps.subscriptions.selectors.records import payment_config_of, workspace_subscription_of
from apps.tenants.services.refusals import require_open

NOT_CONFIGURED = "Online payment is not set up in this installation. Please contact our billing team."
DEMO = "This is demo data: there is nothing to pay, so no payment page opens."
NO_CUSTOMER = "We are still creating your customer record at Stripe. Please try again in a few minutes."


def checkout_obstacle(context: ExecutionContext, organization_id: OrganizationId) -> str:
    """Why neither checkout nor portal can be opened now, in words for the tenant; empty when they can."""
    if not settings.STRIPE_SECRET_KEY:
        return NOT_CONFIGURED
    if context.is_demo:
        return DEMO
    return "" if _customer_id(organization_id) else NO_CUSTOMER


def checkout_start(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    workspace_id: WorkspaceId,
    attempt: UUID,
    return_url: str,
    plan_slug: str = "",
) -> str:
    """Start a Checkout session; answers the address of Stripe's page. Without a plan it only asks for a way to pay.

    `attempt` is made with the form: the same again is the same session; an earlier one of the workspace that is still
    open is expired. Raises `ForbiddenError`; `ConflictError` `checkout_impossible` with the reason, or
    `organization_closed` for a plan; `UnprocessableError` `unknown_plan`; `UnavailableError` when Stripe does not do
    its part.
    """
    require(context, "checkout.start")
    api, customer_id = _require_stripe(context, organization_id)
    if plan_slug:
        require_open(organization_id)
    _require_sellable(workspace_id, plan_slug)
    mode = "subscription" if plan_slug else "setup"
    key = f"checkout-{organization_id}-{workspace_id}-{attempt}-{plan_slug}"
    _store_start(context, organization_id, CheckoutStarted(mode, workspace_id, plan_slug), key)
    params = CheckoutParams(
        customer_id=customer_id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        success_url=f"{return_url}?checkout=done",
        cancel_url=return_url,
        attempt=attempt,
        plan_slug=plan_slug,
    )
    try:
        _expire_earlier(api, workspace_id, customer_id, attempt)
        return api.start_checkout(key=key, params=params)
    except ProviderCallError as error:
        raise _unavailable(error) from error


def _expire_earlier(api: StripeApi, workspace_id: WorkspaceId, customer_id: str, attempt: UUID) -> None:
    """Two that are open could both be completed, and both be paid for."""
    try:
        api.expire_checkouts(workspace_id=workspace_id, customer_id=customer_id, but=attempt)
    except ProviderCallError as error:
        if not error.is_permanent:
            raise
        raise ConflictError(
            "Another checkout of this workspace was completed a moment ago. Please reload the page in a minute.",
            code="checkout_impossible",
            title="No payment page can be opened",
        ) from error


@transaction.atomic
def _store_start(
    context: ExecutionContext, organization_id: OrganizationId, properties: CheckoutStarted, key: str
) -> None:
    """Store the key before anything is sent with it."""
    is_new = billing_event_record(
        context, properties=properties, organization_id=organization_id, occurred_at=clock.now(), key=key
    )
    if is_new:
        _audit(context, CHECKOUT_STARTED, organization_id, key, {"mode": properties.mode, "plan": properties.plan})


def portal_open(context: ExecutionContext, *, organization_id: OrganizationId, attempt: UUID, return_url: str) -> str:
    """Open Stripe's customer portal; answers the address of its page. Raises as `checkout_start`."""
    require(context, "checkout.start")
    api, customer_id = _require_stripe(context, organization_id)
    key = f"portal-{organization_id}-{attempt}"
    with transaction.atomic():
        _audit(context, PORTAL_OPENED, organization_id, key, {"customer": customer_id})
    try:
        return api.open_portal(key=key, customer_id=customer_id, return_url=return_url)
    except ProviderCallError as error:
        raise _unavailable(error) from error


def may_subscribe(workspace_id: WorkspaceId) -> bool:
    """Whether the workspace has no subscription that runs, in our books or a provider's: a second would be paid too."""
    record = workspace_subscription_of(workspace_id)
    if not is_new_start(SubscriptionState(record.state) if record else None):
        return False
    return not is_sold(map(facts_of, mirrored_subscriptions(workspace_id, record).values()))


def _require_sellable(workspace_id: WorkspaceId, plan_slug: str) -> None:
    if not plan_slug:
        return
    if not may_subscribe(workspace_id):
        raise ConflictError("This workspace already has a subscription. To change its plan, contact our billing team.")
    if not Plan.objects.filter(slug=plan_slug, is_active=True).exists():
        raise UnprocessableError(
            "This plan is not available. Choose another one.",
            code="unknown_plan",
            title="Unknown plan",
        )


def _require_stripe(context: ExecutionContext, organization_id: OrganizationId) -> tuple[StripeApi, str]:
    obstacle, api = checkout_obstacle(context, organization_id), stripe_api()
    if obstacle or api is None:
        raise ConflictError(obstacle, code="checkout_impossible", title="No payment page can be opened")
    return api, _customer_id(organization_id)


def _customer_id(organization_id: OrganizationId) -> str:
    config = payment_config_of(organization_id)
    return (config.payment_provider_id or "") if config else ""


def _audit(
    context: ExecutionContext, event: AuditEvent, organization_id: OrganizationId, key: str, facts: dict[str, str]
) -> None:
    audit_append(
        context, event, AuditTarget("organization", organization_id, organization_id), after={**facts, "call": key}
    )


def _unavailable(error: ProviderCallError) -> UnavailableError:
    if error.is_permanent:
        return UnavailableError("Stripe refused to open this page. Please contact our billing team.")
    return UnavailableError("We can't reach Stripe right now. Nothing was charged. Please try again in a few minutes.")
