"""The calls of payments to the outside: customers of a new organization, tracking (spec 04, Outbox)."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.conf import settings

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.models import OutboxItem
from apps.core.outbox import (
    Delivery,
    OutboxError,
    OutboxHandler,
    OutboxWait,
    outbox_enqueue,
    outbox_handler,
    outbox_wake,
)
from apps.core.states import OutboxStatus
from apps.payments.processing import settle_customer
from apps.payments.providers.contract import PaymentProvider, ProviderCallError, payment_provider
from apps.payments.providers.orb.api import OrbApi, orb_api
from apps.payments.providers.segment import segment_api
from apps.payments.services.usage import AMEND_KIND, CHECK_KIND, REPORT_KIND
from apps.payments.services.usage_backfill import BACKFILL_KIND, open_backfill, record_backfill
from apps.payments.services.usage_delivery import Outcome, amend_usage, check_usage, record_usage, send_usage
from apps.payments.tracking import SEGMENT_KIND
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.tenants.billing_contact import billing_address
from apps.tenants.models import Organization


def provider_customers_enqueue(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Enqueue the provider customers of a new organization (spec 04); those of a demo one are kept as suppressed."""
    name = Organization.objects.values_list("name", flat=True).get(pk=organization_id)
    for provider in Provider:
        outbox_enqueue(
            context,
            kind=f"{provider.value}.create_customer",
            key=f"{provider.value}-customer-{organization_id}",
            payload={"organization_id": str(organization_id), "name": name},
            organization_id=organization_id,
        )


def customers_follow(context: ExecutionContext, *, organization_id: OrganizationId, is_changed: bool) -> None:
    """Bills may go to another address now: tell the customers that there are, and make those that waited for one."""
    outbox_wake(kinds=[f"{provider.value}.create_customer" for provider in Provider], organization_id=organization_id)
    if not is_changed:
        return
    change = uuid4()
    for provider in Provider:
        outbox_enqueue(
            context,
            kind=f"{provider.value}.update_customer",
            key=f"{provider.value}-customer-{organization_id}-{change}",
            payload={"organization_id": str(organization_id)},
            organization_id=organization_id,
        )


def _billing_address(organization_id: UUID) -> str:
    address = billing_address(OrganizationId(organization_id))
    if not address:
        # No other address stands in: a stranger would get the invoices.
        raise OutboxWait("No billing e-mail: the organization has neither an address for bills nor an owner yet.")
    return address


_UNFINISHED = (OutboxStatus.PENDING, OutboxStatus.IN_PROGRESS)


class _ProviderHandler(OutboxHandler):
    """Calls to one payment provider wait for its key."""

    provider: ClassVar[PaymentProvider]

    def unconfigured_reason(self) -> str:
        setting = self.provider.key_setting
        return "" if getattr(settings, setting) else f"{setting} is not set."


class CustomerHandler(_ProviderHandler):
    """Creates one customer an organization at a provider, whatever dies in between.

    The first try sends our key. Each further one asks first, by the mark that the customer bears; only where the
    provider knows none is it created, with the same key again.
    """

    def deliver(self, delivery: Delivery) -> Any:
        try:
            organization_id = UUID(delivery.payload["organization_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise OutboxError(f"The payload names no organization: {error}.", permanent=True) from error
        # A cutover check's organization is removed again; nobody is to be billed for it.
        if not Organization.objects.filter(pk=organization_id, is_synthetic=False).exists():
            return None
        try:
            return self.find_or_create(delivery, organization_id)
        except ProviderCallError as error:
            raise _outbox_error(error) from None

    def find_or_create(self, delivery: Delivery, organization_id: UUID) -> str:
        """The customer's id. An earlier try may have created it without our hearing of it."""
        api = self.provider.connect()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        known = api.find_customer(organization_id) if delivery.attempt > 1 else None
        if known:
            return known
        email = _billing_address(organization_id)
        # The same key with another body would be refused: the name is the one that was stored with it, and an address
        # that is another at the next try has a key of its own.
        key = f"{delivery.key}-{hashlib.sha256(email.encode()).hexdigest()[:12]}"
        return api.create_customer(key=key, organization_id=organization_id, name=delivery.payload["name"], email=email)

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        """Link the customer, unless a checkout has linked another one meanwhile."""
        if result is None:
            return
        config = payment_config_for_update(OrganizationId(UUID(delivery.payload["organization_id"])))
        if config is not None:
            settle_customer(context, config, self.provider.name, made_id=result)


class CustomerUpdateHandler(_ProviderHandler):
    """Brings the customer's address up to date with what it is when the call is made."""

    def deliver(self, delivery: Delivery) -> Any:
        organization_id = UUID(delivery.payload["organization_id"])
        field = CUSTOMER_FIELDS[self.provider.name]
        customer_id = OrganizationPaymentConfig.objects.values_list(field, flat=True).get(organization=organization_id)
        if not customer_id:
            # One that is being made may carry the former address.
            making = OutboxItem.objects.filter(kind=f"{self.provider.name.value}.create_customer")
            if making.filter(organization_id=organization_id, status__in=_UNFINISHED).exists():
                raise OutboxError("The customer is still being made.")
            return
        api = self.provider.connect()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        try:
            api.update_customer(key=delivery.key, customer_id=customer_id, email=_billing_address(organization_id))
        except ProviderCallError as error:
            raise _outbox_error(error) from None


def _register(name: Provider) -> None:
    @outbox_handler(f"{name.value}.create_customer")
    class Creating(CustomerHandler):
        provider = payment_provider(name)

    @outbox_handler(f"{name.value}.update_customer")
    class Updating(CustomerUpdateHandler):
        provider = payment_provider(name)


for _name in Provider:
    _register(_name)


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


class _UsageHandler(OutboxHandler):
    """Calls about usage to Orb share Orb's limit: when it asks for a pause, all of them wait."""

    shares_limit = True

    def unconfigured_reason(self) -> str:
        return "" if settings.ORB_API_KEY else "ORB_API_KEY is not set."

    def deliver(self, delivery: Delivery) -> Any:
        api = orb_api()
        if api is None:
            raise OutboxError(self.unconfigured_reason())
        try:
            return self.call(api, delivery)
        except ProviderCallError as error:
            raise _outbox_error(error) from None

    def call(self, api: OrbApi, delivery: Delivery) -> Any:
        """Make the call."""
        raise NotImplementedError

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        record_usage(context, delivery, result)


@outbox_handler(REPORT_KIND)
class ReportUsageHandler(_UsageHandler):
    """One batch of usage."""

    def call(self, api: OrbApi, delivery: Delivery) -> Outcome:
        return send_usage(api, delivery)


@outbox_handler(AMEND_KIND)
class AmendUsageHandler(_UsageHandler):
    """What is left of one charge after a reversal."""

    def call(self, api: OrbApi, delivery: Delivery) -> Outcome:
        return amend_usage(api, delivery)


@outbox_handler(CHECK_KIND)
class CheckUsageHandler(_UsageHandler):
    """What Orb has of a batch, a day later."""

    def call(self, api: OrbApi, delivery: Delivery) -> Outcome:
        return check_usage(api, delivery)


@outbox_handler(BACKFILL_KIND)
class OpenBackfillHandler(_UsageHandler):
    """The month whose usage is sent afterwards; its batches follow."""

    def call(self, api: OrbApi, delivery: Delivery) -> str:
        return open_backfill(api, delivery)

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        record_backfill(context, delivery, result)


def _outbox_error(error: ProviderCallError) -> OutboxError:
    return OutboxError(error.sentence, permanent=error.is_permanent, retry_after_seconds=error.retry_after_seconds)
