"""Words of the payments app, as text enumerations (spec 04)."""

from __future__ import annotations

from apps.core.enums import TextEnum


class WebhookStatus(TextEnum):
    """Where a stored event stands. `failed` is parked: a person decides; nothing is ever dropped."""

    RECEIVED = "received", "Received"
    PROCESSING = "processing", "Processing"
    PROCESSED = "processed", "Processed"
    IGNORED = "ignored", "Ignored"
    UNMATCHED = "unmatched", "Unmatched"
    FAILED = "failed", "Failed"


class WhyKept(TextEnum):
    """Why an event was kept and not taken, where no error of a service says so by its code."""

    UNREADABLE = "unreadable", "A value can't be read"
    ERROR = "error", "An error of ours"
    CUSTOMER_UNKNOWN = "customer_unknown", "Its customer is not known yet"
    OTHER_ACCOUNT = "other_account", "Of another merchant's account"
    TEST_MODE = "test_mode", "From test mode"
    NOT_OURS = "not_ours", "Its customer is not ours"
    DISMISSED = "dismissed", "Dismissed by staff"


class EventSource(TextEnum):
    """How an event came to us."""

    WEBHOOK = "webhook", "Webhook"
    RECONCILIATION = "reconciliation", "Found by reconciliation"


class InvoiceStatus(TextEnum):
    """Status of a mirrored invoice, in one vocabulary for both providers."""

    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    PAID = "paid", "Paid"
    UNCOLLECTIBLE = "uncollectible", "Uncollectible"
    VOID = "void", "Void"


class ProviderSubscriptionStatus(TextEnum):
    """Status of a mirrored subscription, in one vocabulary for both providers."""

    INCOMPLETE = "incomplete", "Incomplete"
    TRIALING = "trialing", "Trialing"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"


# Of two versions of one moment, the later in this order is the newer.
PROVIDER_SUBSCRIPTION_ORDER = (
    ProviderSubscriptionStatus.INCOMPLETE,
    ProviderSubscriptionStatus.TRIALING,
    ProviderSubscriptionStatus.ACTIVE,
    ProviderSubscriptionStatus.PAST_DUE,
    ProviderSubscriptionStatus.PAUSED,
    ProviderSubscriptionStatus.ENDED,
)


class ReviewKind(TextEnum):
    """What a person is asked to look at (spec 03, 04)."""

    CHARGED_TWICE = "charged_twice", "Charged twice"
    DIFFERS = "differs", "Provider differs"
    RESTARTED = "restarted", "Started after staff ended it"
    PAUSED = "paused", "Collection paused"
    PAID_WHILE_LOCKED = "paid_while_locked", "Paid while locked"


class PlanReferenceKind(TextEnum):
    """What of a provider's price says which plan of ours it is. Of conflicting ones the first here counts."""

    PRICE = "price", "Price"
    LOOKUP_KEY = "lookup_key", "Lookup key"
    PRODUCT = "product", "Product"


class CustomerStatus(TextEnum):
    """Status of a mirrored customer."""

    ACTIVE = "active", "Active"
    DELETED = "deleted", "Deleted"


class PaymentMethodStatus(TextEnum):
    """Whether a mirrored payment method is attached to its customer."""

    ATTACHED = "attached", "Attached"
    DETACHED = "detached", "Detached"


class BillingEventName(TextEnum):
    """What is tracked (spec 04, Tracking). `Checkout Session Started` is ours: the funnel begins with it."""

    CHECKOUT_STARTED = "Checkout Session Started"
    CHECKOUT_COMPLETED = "Checkout Session Completed"
    GRACE_STARTED = "Grace Period Started"
    GRACE_ENDED = "Grace Period Ended"
    SUBSCRIPTION_STARTED = "Subscription Started"
    SUBSCRIPTION_ENDED = "Subscription Ended"
    SUBSCRIPTION_CANCELLED = "Subscription Cancelled"
    SUBSCRIPTION_UNCANCELLED = "Subscription Uncancelled"
    PLAN_PHASE_CHANGE = "Plan Phase Change"
    INVOICE_PAID = "Invoice Paid"
    INVOICE_FAILED = "Invoice Payment Failed"
    INVOICE_UNCOLLECTIBLE = "Invoice Uncollectible"
    CREDITS_GRANTED = "Credits Granted"
    CREDITS_EXHAUSTED = "Credits Exhausted"


class UsageFaultKind(TextEnum):
    """Why Orb does not have an entry as we do."""

    REFUSED = "refused", "Refused by Orb"
    NOT_AMENDED = "not_amended", "Reversal refused by Orb"
    MISSING = "missing", "Missing at Orb"
    DIFFERENT = "different", "Different at Orb"
    SENT_AGAIN = "sent_again", "Sent again"
