"""Words of the tenants app, as text enumerations."""

from __future__ import annotations

from apps.core.enums import TextEnum


class OrganizationKind(TextEnum):
    """`team`, or the account of a single person. Never changes."""

    TEAM = "team", "Team"
    INDIVIDUAL = "individual", "Individual"


class BillingMode(TextEnum):
    """Who decides on a product's credits (spec 02, Cutover)."""

    LOCAL = "local", "Local: the product decides, we record"
    SHADOW = "shadow", "Shadow: the product decides, we compare"
    CENTRAL = "central", "Central: we decide"


class BillingModeSource(TextEnum):
    """What an organization's billing mode comes from, in the order of precedence (spec 02, Cutover)."""

    ORGANIZATION = "organization", "Exception for the organization"
    PERCENTAGE = "percentage", "Percentage of organizations"
    PRODUCT = "product", "Product"


class MembershipOrigin(TextEnum):
    """Who told us of a membership first."""

    IDENTITY = "identity", "Identity service"
    PRODUCT = "product", "Product"
    CONSOLE = "console", "Console"


class DriftClass(TextEnum):
    """How a product's view of a membership differs from ours (spec 02, Membership authority)."""

    MISSING_HERE = "missing_here", "Missing here"
    MISSING_THERE = "missing_there", "Missing there"
    ROLE_DIFFERS = "role_differs", "Role differs"
    OWNER_REPORTED = "owner_reported", "Owner reported"
    REMOVED_HERE = "removed_here", "Removed here"
    NOT_RELATED = "not_related", "Not related"
    UNKNOWN_USER = "unknown_user", "Unknown user"
    UNKNOWN_ORGANIZATION = "unknown_organization", "Unknown organization"
    DUPLICATE_IDENTITY = "duplicate_identity", "Duplicate identity"


class DriftResolution(TextEnum):
    """What staff decided about a piece of drift that is still there."""

    IGNORED = "ignored", "Ignored"
    TOLD = "told", "Product told"


class ReportSource(TextEnum):
    """How a product's members came in."""

    EXPORT = "export", "Read from the product"
    SNAPSHOT = "snapshot", "Pushed by the product"


class ReconciliationStatus(TextEnum):
    """Where a reconciliation run is."""

    RECEIVING = "receiving", "Receiving"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting for a person"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ABORTED = "aborted", "Aborted"
    DISCARDED = "discarded", "Discarded"


class ReconciliationStage(TextEnum):
    """What a run does next; a worker that takes it over goes on there."""

    READ = "read", "Reading"
    JUDGE = "judge", "Comparing"
    MERGE = "merge", "Merging"


class StopReason(TextEnum):
    """Why a run waits for a person, having changed nothing (spec 02, Membership authority)."""

    TRUNCATED = "truncated", "Truncated"
    REPEATED = "repeated", "Repeated members"
    UNSORTED = "unsorted", "Unsorted"
    MISCOUNTED = "miscounted", "More than its total"
    SHRUNKEN = "shrunken", "Shrunken"
    FIRST_RUN = "first_run", "Large first run"


class ReportedMembership(TextEnum):
    """What a product says of somebody: a role, or that they are no member any more."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"
    VIEWER = "viewer", "Viewer"
    REMOVED = "removed", "Removed"
    ABSENT = "absent", "Not in its report"


class RelationSource(TextEnum):
    """Why a product is related to an organization (spec 09, Provisioning)."""

    CREATED = "created", "The product created it"
    IDENTITY = "identity", "The identity service related it"
    STAFF = "staff", "Staff related it"


class LinkKind(TextEnum):
    """What a single-use link is for (spec 02, How people sign in)."""

    INVITATION = "invitation", "Invitation"
    PASSWORD_RESET = "password_reset", "New password"
    SIGN_IN = "sign_in", "Sign-in link"
    PORTAL = "portal", "Visit from a product"


class ImpersonationEnd(TextEnum):
    """Why an impersonation is over."""

    CLICKED = "clicked", "Ended by staff"
    EXPIRED = "expired", "Time was up"
    REPLACED = "replaced", "Another one was started"
    SIGNED_OUT = "signed_out", "Staff signed out"
    ROLE_LOST = "role_lost", "Staff role lost"
    MEMBER_GONE = "member_gone", "Membership ended"


class NoticeKind(TextEnum):
    """What an organization's mails are about, where its admins choose who gets them (spec 08, Settings)."""

    PAYMENTS = "payments", "Payments"
    CONNECTORS = "connectors", "Connectors"


class NoticeAudience(TextEnum):
    """Who gets them by their role."""

    OWNERS = "owners", "Owners"
    ADMINS = "admins", "Owners and admins"
    CHOSEN = "chosen", "Nobody by role"


class TokenKind(TextEnum):
    """A product's token, or one that only starts jobs."""

    PRODUCT = "product", "Product token"
    CRON = "cron", "Cron token"


class CutoverRunStatus(TextEnum):
    """Where a cutover check that staff have asked for stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
