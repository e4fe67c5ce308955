"""Words of the subscriptions app, as text enumerations (spec 03, spec 04)."""

from __future__ import annotations

from apps.core.enums import TextEnum


class SubscriptionState(TextEnum):
    """State of a workspace subscription. Nothing but `apps.subscriptions.rules` may compare it to decide."""

    TRIALING = "trialing", "Trialing"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    SUSPENDED = "suspended", "Suspended"
    ENDED = "ended", "Ended"


class PaymentStatus(TextEnum):
    """Payment status of an organization. Nothing but `apps.subscriptions.rules` may compare it to decide."""

    UNINITIALIZED = "uninitialized", "Uninitialized"
    OKAY = "okay", "Okay"
    GRACE_PERIOD = "grace_period", "Grace period"
    DISABLED = "disabled", "Disabled"
    LOCKED = "locked", "Locked"
    MANUAL = "manual", "Manual"


class SubscriptionStatus(TextEnum):
    """Whether an organization has subscribed at all; counts where a workspace has neither record nor overlay."""

    PRE_SUBSCRIPTION = "pre_subscription", "Pre-subscription"
    SUBSCRIBED = "subscribed", "Subscribed"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"


class UsageCategoryOverride(TextEnum):
    """Bills all usage of an organization under one category; it never widens what is allowed (spec 03)."""

    FREE = "free", "Free"
    INTERNAL = "internal", "Internal"


class Provider(TextEnum):
    """Outside systems that sell subscriptions for us."""

    STRIPE = "stripe", "Stripe"
    ORB = "orb", "Orb"


class ManagedBy(TextEnum):
    """Whose news change a workspace subscription (spec 03, Mutation)."""

    STAFF = "staff", "Staff"
    STRIPE = "stripe", "Stripe"
    ORB = "orb", "Orb"


class CreditCadence(TextEnum):
    """How often a plan gives its credits."""

    PERIOD = "period", "Billing period"
    MONTH = "month", "Month from the anchor day"
    CALENDAR_MONTH = "calendar_month", "Calendar month"


class PlanInterval(TextEnum):
    """How often a plan's price is due."""

    MONTH = "month", "Month"
    YEAR = "year", "Year"


class PendingChangeKind(TextEnum):
    """What a scheduled change will do once somebody confirms it (spec 03, Scheduled change)."""

    END = "end", "End the subscription"
    CHANGE_PLAN = "change_plan", "Change the plan"


class PendingChangeStatus(TextEnum):
    """Where a scheduled change stands."""

    OPEN = "open", "Open"
    APPLIED = "applied", "Applied"
    CANCELLED = "cancelled", "Cancelled"
    DROPPED = "dropped", "Dropped"


class LifecycleSource(TextEnum):
    """Which kind of fact decided a lifecycle state (spec 09, Gate)."""

    ORGANIZATION = "organization", "Organization"
    PAYMENT_STATUS = "payment_status", "Payment status"
    SUBSCRIPTION = "subscription", "Subscription"
    MANUAL_OVERLAY = "manual_overlay", "Manual overlay"
    SUBSCRIPTION_STATUS = "subscription_status", "Subscription status"


class SubscriptionScope(TextEnum):
    """For whom the organization's subscription status speaks (spec 03, rule 5).

    `workspaces`: each subscription that runs names a workspace. What staff set stays until the status changes.
    """

    ORGANIZATION = "organization", "The whole organization"
    WORKSPACES = "workspaces", "The named workspaces alone"
    STAFF = "staff", "The whole organization, by staff"


class EvidenceSubject(TextEnum):
    """Which of our records a provider's news spoke of."""

    WORKSPACE_SUBSCRIPTION = "workspace_subscription", "Workspace subscription"
    PAYMENT_CONFIG = "payment_config", "Payment config"


class ReceiptKind(TextEnum):
    """Which gate gave a stored decision (spec 05, Decision receipts)."""

    LIFECYCLE = "lifecycle", "Lifecycle"
    CREDITS = "credits", "Credits"
    ACCESS = "access", "Access"


class Verdict(TextEnum):
    """Whether a gate let the caller through."""

    ALLOW = "allow", "Allow"
    DENY = "deny", "Deny"
