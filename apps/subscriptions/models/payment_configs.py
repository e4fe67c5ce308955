"""The payment config of an organization (spec 04, OrganizationPaymentConfig)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.core.row_versions import kept_row_versions
from apps.subscriptions.enums import (
    PaymentStatus,
    Provider,
    SubscriptionScope,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.models.version_counter import counts_versions
from apps.subscriptions.rules.payment_transitions import status_pairs, subscription_status_pairs
from apps.tenants.models import Organization

LONGEST_GRACE_DAYS = 365
# Which field holds the customer at each provider. A provider without one is matched by the mirror of its customers.
CUSTOMER_FIELDS = {Provider.STRIPE: "payment_provider_id", Provider.ORB: "orb_customer_id"}


@kept_row_versions()
class OrganizationPaymentConfig(models.Model):
    """One row an organization, made with it. `grace_period_end_at` is set if and only if a grace period runs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="payment_config")
    # Null where there is none, so that the unique constraint lets many be empty.
    payment_provider_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    orb_customer_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    payment_status = models.CharField(max_length=16, choices=PaymentStatus.choices, default=PaymentStatus.UNINITIALIZED)
    subscription_status = models.CharField(
        max_length=16, choices=SubscriptionStatus.choices, default=SubscriptionStatus.PRE_SUBSCRIPTION
    )
    subscription_scope = models.CharField(
        max_length=16,
        choices=SubscriptionScope.choices,
        default=SubscriptionScope.ORGANIZATION,
        db_default=SubscriptionScope.ORGANIZATION,
        help_text="For whom the subscription status speaks.",
    )
    grace_period_end_at = models.DateTimeField(null=True, blank=True)
    grace_period_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of coming grace periods; empty: the default of 14."
    )
    usage_category_override = models.CharField(
        max_length=16, choices=UsageCategoryOverride.choices, blank=True, default=""
    )
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("payment_status", PaymentStatus, "payment_config_status_known"),
            one_of("subscription_status", SubscriptionStatus, "payment_config_subscription_status_known"),
            one_of("subscription_scope", SubscriptionScope, "payment_config_subscription_scope_known"),
            one_of("usage_category_override", UsageCategoryOverride, "payment_config_override_known", also=[""]),
            models.CheckConstraint(
                condition=Q(payment_status=PaymentStatus.GRACE_PERIOD, grace_period_end_at__isnull=False)
                | (~Q(payment_status=PaymentStatus.GRACE_PERIOD) & Q(grace_period_end_at__isnull=True)),
                name="payment_config_grace_end_iff_grace",
            ),
            models.CheckConstraint(
                condition=Q(grace_period_days__isnull=True)
                | Q(grace_period_days__gte=1, grace_period_days__lte=LONGEST_GRACE_DAYS),
                name="payment_config_grace_days_possible",
            ),
            models.CheckConstraint(
                condition=~Q(payment_provider_id="") & ~Q(orb_customer_id=""),
                name="payment_config_customer_ids_not_empty",
            ),
        ]
        indexes: ClassVar = [
            # The grace job looks for due rows alone.
            models.Index(
                fields=["grace_period_end_at"],
                condition=Q(grace_period_end_at__isnull=False),
                name="payment_config_grace_due",
            ),
            models.Index(fields=["id"], condition=Q(payment_status=PaymentStatus.LOCKED), name="payment_config_locked"),
        ]
        triggers: ClassVar = [
            counts_versions("payment_config_counts_versions"),
            pgtrigger.FSM(
                name="payment_config_moves_legally", field="payment_status", transitions=list(status_pairs())
            ),
            pgtrigger.FSM(
                name="payment_config_subscribes_legally",
                field="subscription_status",
                transitions=list(subscription_status_pairs()),
            ),
            pgtrigger.ReadOnly(name="payment_config_organization_is_fixed", fields=["organization"]),
        ]

    def __str__(self) -> str:
        return f"{self.payment_status} payment config of {self.organization_id}"
