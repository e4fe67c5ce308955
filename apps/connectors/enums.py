"""Words of the connectors app, as text enumerations (spec 04, Auto-disable; spec 06, Connector)."""

from __future__ import annotations

from apps.core.enums import TextEnum


class ConnectorStatus(TextEnum):
    """Whether a connector runs, and if not, who stopped it."""

    PENDING = "pending", "Pending"
    ENABLED = "enabled", "Enabled"
    DISABLED = "disabled", "Disabled"
    AUTO_DISABLED = "auto_disabled", "Auto-disabled"
    NEEDS_REAUTHORIZATION = "needs_reauthorization", "Needs re-authorization"


class AutoDisableReason(TextEnum):
    """Why the system switched a connector off (spec 04, Auto-disable)."""

    INVALID_PAYMENT_METHOD = "invalid_payment_method", "Invalid payment method"
    INVOICE_MARKED_UNCOLLECTIBLE = "invoice_marked_uncollectible", "Invoice marked uncollectible"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
    CREDITS_EXHAUSTED = "credits_exhausted", "Credits exhausted"
    TOO_MANY_FAILURES = "too_many_failures", "Too many failures"
    CREDENTIAL_INVALID = "credential_invalid", "Credential invalid"
    ORGANIZATION_CLOSED = "organization_closed", "Organization closed"


class CredentialKind(TextEnum):
    """What a provider lets us in with (spec 06, the table of providers)."""

    NONE = "none", "None"
    API_KEY = "api_key", "API key"
    OAUTH = "oauth", "OAuth"


class ConnectorEventKind(TextEnum):
    """What the timeline of a connector can tell."""

    CREATED = "created", "Created"
    ENABLED = "enabled", "Enabled"
    DISABLED = "disabled", "Disabled"
    AUTO_DISABLED = "auto_disabled", "Auto-disabled"
    RESTORED = "restored", "Enabled again"
    CAUSE_ADDED = "cause_added", "Another cause keeps it off"
    CAUSE_REMOVED = "cause_removed", "One cause went away"
    SETTINGS_CHANGED = "settings_changed", "Settings changed"
    CREDENTIAL_STORED = "credential_stored", "Credential stored"
    CREDENTIAL_REPLACED = "credential_replaced", "Credential replaced"
    CREDENTIAL_REFUSED = "credential_refused", "Credential refused by the provider"
    AUTHORIZED = "authorized", "Authorized"
    REAUTHORIZATION_NEEDED = "reauthorization_needed", "Re-authorization needed"
    AUTHORIZATION_REFUSED = "authorization_refused", "Authorization refused"
    SYNC_QUEUED = "sync_queued", "Sync queued"
    SYNC_STARTED = "sync_started", "Sync started"
    SYNC_TAKEN_OVER = "sync_taken_over", "Sync taken over"
    SYNC_SUCCEEDED = "sync_succeeded", "Sync succeeded"
    SYNC_FAILED = "sync_failed", "Sync failed"
    SYNC_CANCELLED = "sync_cancelled", "Sync cancelled"
    SYNC_REFUSED = "sync_refused", "Sync refused"
    MONTH_REOPENED = "month_reopened", "Month reopened"
    MONTH_FINAL = "month_final", "Month final"
    SHRINK_ANSWERED = "shrink_answered", "Question about a month answered"
    REMOVED = "removed", "Removed"
    LATE_CHANGE = "late_change", "Late change kept as an adjustment"


class RecordKind(TextEnum):
    """What a billing record is (spec 06, BillingRecord)."""

    INVOICE = "invoice", "Invoice"
    LINE = "line", "Line"
    COST = "cost", "Cost"
    USAGE = "usage", "Usage"
    REFUND = "refund", "Refund"
    CREDIT_NOTE = "credit_note", "Credit note"


class SyncTrigger(TextEnum):
    """What asked for a sync run."""

    SCHEDULE = "schedule", "Schedule"
    CRON = "cron", "Cron"
    USER = "user", "Person"
    API = "api", "API"


class SyncStatus(TextEnum):
    """Where a sync run stands. A queued run may have begun before: then it waits for its next try."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class AdjustmentKind(TextEnum):
    """What a late change did to a record of a final month."""

    ADDED = "added", "Added"
    CHANGED = "changed", "Changed"
    VOIDED = "voided", "Voided"
