"""Records of the payments app: fields and constraints, no rules."""

from __future__ import annotations

from apps.payments.models.billing_events import BillingEvent
from apps.payments.models.credit_stops import CreditStop, TrackingPosition
from apps.payments.models.grace_anchors import GraceAnchor
from apps.payments.models.inbox import WebhookEvent
from apps.payments.models.mirror import (
    MirroredObject,
    ProviderCustomer,
    ProviderDispute,
    ProviderInvoice,
    ProviderPaymentMethod,
    ProviderRefund,
    ProviderSubscription,
)
from apps.payments.models.plan_references import PlanReference
from apps.payments.models.reconciliation import ReconciliationCursor
from apps.payments.models.reviews import Review
from apps.payments.models.usage import UsageFault, UsagePeriod, UsagePosition, UsageReporting

__all__ = [
    "BillingEvent",
    "CreditStop",
    "GraceAnchor",
    "MirroredObject",
    "PlanReference",
    "ProviderCustomer",
    "ProviderDispute",
    "ProviderInvoice",
    "ProviderPaymentMethod",
    "ProviderRefund",
    "ProviderSubscription",
    "ReconciliationCursor",
    "Review",
    "TrackingPosition",
    "UsageFault",
    "UsagePeriod",
    "UsagePosition",
    "UsageReporting",
    "WebhookEvent",
]
