"""Audit events of the subscriptions app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

PLAN_CREATED = audit_event("plan.created", "Plan created")
PLAN_CHANGED = audit_event("plan.changed", "Plan changed")

TRIAL_STARTED = audit_event("subscription.trial_started", "Trial started")
SUBSCRIPTION_ACTIVATED = audit_event("subscription.activated", "Subscription activated")
PLAN_SWITCHED = audit_event("subscription.plan_changed", "Subscription's plan changed")
SUBSCRIPTION_PAST_DUE = audit_event("subscription.past_due", "Subscription marked past due")
SUBSCRIPTION_SUSPENDED = audit_event("subscription.suspended", "Subscription suspended")
SUBSCRIPTION_RESUMED = audit_event("subscription.resumed", "Subscription resumed")
SUBSCRIPTION_ENDED = audit_event("subscription.ended", "Subscription ended")
CANCELLATION_SET = audit_event("subscription.cancellation_set", "Cancellation at period end set or unset")
PERIOD_UPDATED = audit_event("subscription.period_updated", "Subscription's dates updated")
HANDED_TO_PROVIDER = audit_event("subscription.handed_to_provider", "Management handed to the provider")
TAKEN_OVER = audit_event("subscription.taken_over", "Management taken over by staff")

OVERLAY_SET = audit_event("workspace.overlay_set", "Manual lifecycle overlay set")
OVERLAY_CLEARED = audit_event("workspace.overlay_cleared", "Manual lifecycle overlay cleared")

PENDING_CHANGE_RECORDED = audit_event("pending_change.recorded", "Scheduled change recorded")
PENDING_CHANGE_APPLIED = audit_event("pending_change.applied", "Scheduled change confirmed and applied")
PENDING_CHANGE_DROPPED = audit_event("pending_change.dropped", "Scheduled change dropped, as it lost its sense")
PENDING_CHANGE_CANCELLED = audit_event("pending_change.cancelled", "Scheduled change cancelled")

PAYMENT_CONFIG_CREATED = audit_event("payment_config.created", "Payment config created")
PAYMENT_OKAY = audit_event("payment_config.okay", "Payments in order")
GRACE_STARTED = audit_event("payment_config.grace_started", "Grace period started")
GRACE_EXTENDED = audit_event("payment_config.grace_extended", "Grace period extended")
GRACE_REANCHORED = audit_event("payment_config.grace_reanchored", "Grace period counted from another invoice")
GRACE_ENDED = audit_event("payment_config.grace_ended", "Grace period ended")
PAYMENT_LOCKED = audit_event("payment_config.locked", "Organization locked")
PAYMENT_UNLOCKED = audit_event("payment_config.unlocked", "Organization unlocked")
MANUAL_SET = audit_event("payment_config.manual_set", "Payment status set to manual")
MANUAL_LEFT = audit_event("payment_config.manual_left", "Payment status taken from manual")
SUBSCRIPTION_STATUS_SET = audit_event("payment_config.subscription_status_set", "Subscription status set")
USAGE_OVERRIDE_SET = audit_event("payment_config.usage_override_set", "Usage category override set")
GRACE_DAYS_SET = audit_event("payment_config.grace_days_set", "Length of grace periods set")
PROVIDER_CUSTOMER_SET = audit_event("payment_config.provider_customer_set", "Provider customer set")
