"""The calls of payments to the outside: customers of a new organization, tracking (spec 04, Outbox)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.conf import settings

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.outbox import Delivery, OutboxError, OutboxHandler, outbox_enqueue, outbox_handler
from apps.payments.providers.contract import ProviderCallError
from apps.payments.providers.orb.api import orb_api
from apps.payments.providers.segment import segment_api
from apps.payments.providers.stripe.api import stripe_api
from apps.payments.services import provider_customer_keep
from apps.payments.tracking import SEGMENT_KIND
from apps.subscriptions.enums import Provider
from apps.tenants.models import Organization
from apps.tenants.selectors.members import owner_emails


class _Customers(Protocol):
    def customer_find(self, organization_id: UUID) -> str | None: ...


class _CustomerHandler(OutboxHandler):
    """Makes one customer an organization, whatever dies in between.

    The first try sends our key. Each further one asks first, by the mark that the customer bears; only where the
    provider knows none is it made, with the same key again.
    """

    provider: ClassVar[Provider]
    setting: ClassVar[str]

    def unconfigured_reason(self) -> str:
        return "" if getattr(settings, self.setting) else f"{self.setting} is not set."

    def deliver(self, delivery: Delivery) -> Any:
        try:
            organization_id = UUID(delivery.payload["organization_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise OutboxError(f"The payload names no organization: {error}.", permanent=True) from error
        # A cutover check's organization is removed again; nobody is to be billed for it.
        if not Organization.objects.filter(pk=organization_id, is_synthetic=False).exists():
            return None
        try:
            return self.customer_of(delivery, organization_id)
        except ProviderCallError as error:
            raise _outbox_error(error) from None

    @abstractmethod
    def customer_of(self, delivery: Delivery, organization_id: UUID) -> str:
        """The customer's id, found or made."""

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        if result is not None:
            provider_customer_keep(
                context,
                organization_id=OrganizationId(UUID(delivery.payload["organization_id"])),
                provider=self.provider,
                customer_id=result,
            )


def provider_customers_enqueue(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Enqueue the provider customers of a new organization (spec 04); those of a demo one are kept as suppressed."""
    name = Organization.objects.values_list("name", flat=True).get(pk=organization_id)
    for provider in ("stripe", "orb"):
        outbox_enqueue(
            context,
            kind=f"{provider}.create_customer",
            key=f"{provider}-customer-{organization_id}",
            payload={"organization_id": str(organization_id), "name": name},
            organization_id=organization_id,
        )


@outbox_handler("stripe.create_customer")
class StripeCustomerHandler(_CustomerHandler):
    """The organization's Stripe customer, marked with its id in the metadata."""

    provider = Provider.STRIPE
    setting = "STRIPE_SECRET_KEY"

    def customer_of(self, delivery: Delivery, organization_id: UUID) -> str:
        api = stripe_api()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        known = _known(api, delivery, organization_id)
        # What is sent is what was stored with the key: another body with the same key would be refused.
        return known or api.customer_create(
            key=delivery.key, organization_id=organization_id, name=delivery.payload["name"]
        )


@outbox_handler("orb.create_customer")
class OrbCustomerHandler(_CustomerHandler):
    """The organization's Orb customer, whose external id is the organization's."""

    provider = Provider.ORB
    setting = "ORB_API_KEY"

    def customer_of(self, delivery: Delivery, organization_id: UUID) -> str:
        api = orb_api()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        known = _known(api, delivery, organization_id)
        # Orb wants an address. Where there is no owner yet its mail comes to us, and to no stranger.
        email = next(iter(owner_emails(OrganizationId(organization_id))), settings.DEFAULT_FROM_EMAIL)
        return known or api.customer_create(
            key=delivery.key,
            organization_id=organization_id,
            name=delivery.payload["name"],
            email=email.rpartition("<")[2].rstrip(">"),
        )


@outbox_handler(SEGMENT_KIND)
class SegmentHandler(OutboxHandler):
    """One tracking event, as it was recorded."""

    def unconfigured_reason(self) -> str:
        return "" if settings.SEGMENT_WRITE_KEY else "SEGMENT_WRITE_KEY is not set."

    def deliver(self, delivery: Delivery) -> Any:
        api = segment_api()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        try:
            api.track(key=delivery.key, event=delivery.payload)
        except ProviderCallError as error:
            raise _outbox_error(error) from None


def _known(api: _Customers, delivery: Delivery, organization_id: UUID) -> str | None:
    """What an earlier try may have made without our hearing of it."""
    return api.customer_find(organization_id) if delivery.attempt > 1 else None


def _outbox_error(error: ProviderCallError) -> OutboxError:
    return OutboxError(error.sentence, permanent=error.is_permanent, retry_after_seconds=error.retry_after_seconds)
