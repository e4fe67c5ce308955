"""Words of the credits app, as text enumerations (spec 05)."""

from __future__ import annotations

from apps.core.enums import TextEnum


class PolicyStatus(TextEnum):
    """A draft may change; what is published never does."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"


class AccountType(TextEnum):
    """How a product names an account: by its organization, or by the person who owns the individual organization."""

    ORGANIZATION = "organization", "Organization"
    USER = "user", "User"


class GrantType(TextEnum):
    """Why credits were given. There is no default."""

    PURCHASED = "purchased", "Purchased"
    PLAN = "plan", "Plan"
    BONUS = "bonus", "Bonus"
    TRIAL = "trial", "Trial"
    ADJUSTMENT = "adjustment", "Adjustment"
    REFUND = "refund", "Refund"


class GrantState(TextEnum):
    """What has become of a grant; nothing stores it."""

    UPCOMING = "upcoming", "Begins later"
    LIVE = "live", "Active"
    SPENT = "spent", "Used up"
    EXPIRED = "expired", "Expired"
    VOIDED = "voided", "Voided"


class EntryKind(TextEnum):
    """What a line of the ledger is."""

    GRANT = "grant", "Grant"
    CONSUMPTION = "consumption", "Consumption"
    CAPTURE = "capture", "Capture"
    REVERSAL = "reversal", "Reversal"
    EXPIRY = "expiry", "Expiry"
    VOID = "void", "Void"
    ADJUSTMENT = "adjustment", "Adjustment"


# What burns grants; the functions in SQL name the others.
CHARGES = frozenset({EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.ADJUSTMENT})


class HoldStatus(TextEnum):
    """An open hold reserves credits; every other state is final."""

    OPEN = "open", "Open"
    CAPTURED = "captured", "Captured"
    RELEASED = "released", "Released"
    EXPIRED = "expired", "Expired"


class OnInsufficient(TextEnum):
    """What becomes of a consumption that the account can't afford."""

    REJECT = "reject", "Reject"
    RECORD = "record", "Record as debt"


class DisagreementClass(TextEnum):
    """What a product's own decision and ours differ in, the gravest first; then what was booked and asks for a look."""

    UNKNOWN_OPERATION = "unknown_operation", "Unknown operation"
    MEMBERSHIP = "membership", "Membership"
    LIFECYCLE = "lifecycle", "Lifecycle"
    VERDICT = "verdict", "Allow or deny"
    AMOUNT = "amount", "Amount"
    ROUNDING = "rounding", "Rounding"
    BALANCE = "balance", "Balance"
    RUN_CHARGED_BEFORE = "run_charged_before", "Run charged twice"
    NOT_A_MEMBER = "booked_though_not_a_member", "Booked, not a member"
    LIFECYCLE_DENIED = "booked_though_lifecycle_denied", "Booked, lifecycle denied"
    FOR_REVIEW = "booked_for_review", "Booked late"


# Each must be explained before a product is moved to central.
MONEY_DIFFERENCES = (DisagreementClass.AMOUNT, DisagreementClass.ROUNDING)


class BalanceImportStatus(TextEnum):
    """Where the import of a file of balances stands."""

    CHECKED = "checked", "Waits for its start"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DISCARDED = "discarded", "Discarded"


class PricePreviewStatus(TextEnum):
    """Where the price preview of a draft stands; discarded: the draft is another one now."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DISCARDED = "discarded", "Discarded"


class Owned(TextEnum):
    """The records that belong to a product; each kind has its problem code, `<kind>_of_another_product`."""

    ENTRY = "entry", "Entry"
    HOLD = "hold", "Hold"
    GRANT = "grant", "Grant"
    DECISION = "decision", "Decision"
