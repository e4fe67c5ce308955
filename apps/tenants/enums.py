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


class MembershipOrigin(TextEnum):
    """Who told us of a membership first."""

    IDENTITY = "identity", "Identity service"
    PRODUCT = "product", "Product"
    CONSOLE = "console", "Console"


class DriftClass(TextEnum):
    """How a product's view of a membership differs from ours (spec 02, Membership authority)."""

    OWNER_REPORTED = "owner_reported", "Owner reported"


class ReportedMembership(TextEnum):
    """What a product says of somebody: a role, or that they are no member any more."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"
    VIEWER = "viewer", "Viewer"
    REMOVED = "removed", "Removed"


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


class TokenKind(TextEnum):
    """A product's token, or one that only starts jobs."""

    PRODUCT = "product", "Product token"
    CRON = "cron", "Cron token"
