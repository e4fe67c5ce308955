"""The mirror: our copy of the provider's objects, each at its newest known state (spec 04)."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import name_prefix_index, one_of
from apps.payments.enums import CustomerStatus, InvoiceStatus, PaymentMethodStatus, ProviderSubscriptionStatus
from apps.subscriptions.enums import Provider
from apps.tenants.models import Organization


class MirroredObject(models.Model):
    """A provider's object as its newest event shows it.

    Events have a total order: the event's time, then `news_rank` (a terminal state is later than one that leads to it),
    then the event's id. A row takes only an event later than what it has, so that the order of deliveries can't matter.
    Of two events of one second the provider is asked, where a key is configured; its answer ranks above all others of
    that second. `asked_ticket` and `answered_ticket` order such questions: an older one never undoes a newer answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=16, choices=Provider.choices)
    external_id = models.CharField(max_length=255)
    customer_external_id = models.CharField(max_length=255, blank=True, default="")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    news_at = models.DateTimeField(help_text="The provider's time of the newest news.")
    news_rank = models.SmallIntegerField(default=0)
    news_id = models.CharField(max_length=255, blank=True, default="")
    asked_ticket = models.PositiveIntegerField(default=0)
    answered_ticket = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "external_id"], name="%(class)s_unique"),
            one_of("provider", Provider, "%(class)s_provider_known"),
            models.CheckConstraint(condition=~Q(external_id=""), name="%(class)s_has_external_id"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["provider", "customer_external_id"], name="%(class)s_customer"),
            models.Index(fields=["-news_at"], name="%(class)s_news"),
        ]

    def __str__(self) -> str:
        return self.external_id


class ProviderCustomer(MirroredObject):
    """A customer at a provider; tied to its organization by what we set there, or by a completed checkout.

    `checkout_completed_at` is the time of the earliest completed checkout of this customer that was paid, and
    `free_checkout_at` of the earliest that had nothing to pay. `method_named_at`: when a default way to pay was first
    named.
    """

    status = models.CharField(max_length=16, choices=CustomerStatus.choices, default=CustomerStatus.ACTIVE)
    email = models.CharField(max_length=320, blank=True, default="")
    default_payment_method_id = models.CharField(max_length=255, blank=True, default="")
    checkout_completed_at = models.DateTimeField(null=True, blank=True)
    free_checkout_at = models.DateTimeField(null=True, blank=True)
    method_named_at = models.DateTimeField(null=True, blank=True)
    credits_depleted_at = models.DateTimeField(null=True, blank=True)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", CustomerStatus, "providercustomer_status_known"),
        ]


class ProviderPaymentMethod(MirroredObject):
    """A card, or another way to pay, of a customer; never more of it than its last four digits."""

    status = models.CharField(max_length=16, choices=PaymentMethodStatus.choices)
    kind = models.CharField(max_length=40, blank=True, default="")
    brand = models.CharField(max_length=40, blank=True, default="")
    last4 = models.CharField(max_length=4, blank=True, default="")
    expires_month = models.PositiveSmallIntegerField(null=True, blank=True)
    expires_year = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", PaymentMethodStatus, "providerpaymentmethod_status_known"),
        ]


class ProviderSubscription(MirroredObject):
    """A subscription at a provider. `workspace_id` is what its metadata name, unchecked; None: the organization's.

    `started_at` and `ended_at` are the provider's own times. `items` are what is subscribed to, each with price, lookup
    key, product and period; `plan_hint` is what our metadata say. From both follow `plan_key`, the slug of our plan, or
    else how the provider calls the price, and the period (`apps.payments.plans`). `cancel_at_period_end`: it is to end,
    by either form of cancelling; at `cancel_at`, or with the period. While `pause_behavior` is set no payment is
    collected; `paused_from` and `paused_until` span what we have heard of pauses. `pricing` is what it costs
    (`apps.payments.pricing`); None where no event since that column came has told it. `method_named_at`: when a default
    way to pay was first named.
    """

    status = models.CharField(max_length=16, choices=ProviderSubscriptionStatus.choices)
    workspace_id = models.UUIDField(null=True, blank=True)
    plan_key = models.CharField(max_length=255, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    items = models.JSONField(null=True, blank=True)
    plan_hint = models.CharField(max_length=255, blank=True, default="", db_default="")
    cancel_at = models.DateTimeField(null=True, blank=True)
    pause_behavior = models.CharField(max_length=40, blank=True, default="", db_default="")
    method_named_at = models.DateTimeField(null=True, blank=True)
    paused_from = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pricing = models.JSONField(null=True, blank=True)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", ProviderSubscriptionStatus, "providersubscription_status_known"),
        ]
        indexes: ClassVar = [
            *MirroredObject.Meta.indexes,
            models.Index(fields=["organization", "-started_at"], name="providersubscription_latest"),
            models.Index(fields=["workspace_id"], name="providersubscription_workspace"),
        ]


class ProviderInvoice(MirroredObject):
    """An invoice at a provider. Amounts are in minor units of `currency` (ISO 4217, upper case; empty: no money).

    `failed_at` is the time of the earliest failed payment and `uncollectible_at` of the earliest giving up, of all
    events, whatever the order in which they came: they are facts that later events don't take back. `deleted_at`: the
    draft is gone. `collection_method`, `billing_reason` and `attempt_count` are Stripe's own words.
    """

    status = models.CharField(max_length=16, choices=InvoiceStatus.choices)
    number = models.CharField(max_length=120, blank=True, default="")
    currency = models.CharField(max_length=3, blank=True, default="")
    amount_due_minor = models.BigIntegerField(default=0)
    amount_paid_minor = models.BigIntegerField(default=0)
    amount_remaining_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    subscription_external_id = models.CharField(max_length=255, blank=True, default="")
    issued_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    uncollectible_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the owners were first told that it is due.")
    forgiven_at = models.DateTimeField(null=True, blank=True, help_text="When staff said that it need not be paid.")
    deleted_at = models.DateTimeField(null=True, blank=True)
    collection_method = models.CharField(max_length=40, blank=True, default="", db_default="")
    billing_reason = models.CharField(max_length=60, blank=True, default="", db_default="")
    attempt_count = models.IntegerField(null=True, blank=True)
    # What a lock has been decided about already: staff who unlock are not overruled by the same invoice.
    lock_settled_at = models.DateTimeField(null=True, blank=True)
    hosted_invoice_url = models.TextField(blank=True, default="")
    invoice_pdf = models.TextField(blank=True, default="")

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", InvoiceStatus, "providerinvoice_status_known"),
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerinvoice_currency_is_iso"
            ),
        ]
        indexes: ClassVar = [
            *MirroredObject.Meta.indexes,
            models.Index(fields=["organization", "-issued_at"], name="providerinvoice_latest"),
            models.Index(fields=["status", "-news_at"], name="providerinvoice_by_status"),
            name_prefix_index("providerinvoice_number_prefix", "number"),
            models.Index(fields=["due_at"], condition=Q(status=InvoiceStatus.OPEN), name="providerinvoice_open_due"),
        ]


class ProviderDispute(MirroredObject):
    """A charge that the payer's bank took back. `status` and `reason` are the provider's own words."""

    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=80, blank=True, default="")
    charge_external_id = models.CharField(max_length=255, blank=True, default="")
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True, default="")
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    funds_withdrawn_at = models.DateTimeField(null=True, blank=True)
    funds_reinstated_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerdispute_currency_is_iso"
            ),
        ]
        indexes: ClassVar = [*MirroredObject.Meta.indexes]


class ProviderRefund(MirroredObject):
    """What was given back of one charge, in all; `external_id` is the charge's. `status` is partial or full."""

    status = models.CharField(max_length=40)
    charge_external_id = models.CharField(max_length=255, blank=True, default="")
    amount_minor = models.BigIntegerField(default=0, help_text="Given back so far.")
    charged_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True, default="")

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerrefund_currency_is_iso"
            ),
        ]
