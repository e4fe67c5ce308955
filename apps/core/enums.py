"""Words of the glossary that more than one app uses, as text enumerations."""

from __future__ import annotations

from enum import EnumType, StrEnum
from typing import Self, cast


class _TextEnumType(EnumType):
    """What columns and forms ask of an enumeration, by the names of Django's `TextChoices`."""

    @property
    def choices(cls) -> list[tuple[str, str]]:
        return [(member.value, member.label) for member in cast("type[TextEnum]", cls)]

    @property
    def values(cls) -> list[str]:
        return [value for value, _ in cls.choices]

    @property
    def labels(cls) -> list[str]:
        return [label for _, label in cls.choices]


class TextEnum(StrEnum, metaclass=_TextEnumType):
    """Texts with a label for people, as `TextChoices`, but without Django, so that rules load without settings."""

    _label_: str

    def __new__(cls, value: str, label: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_, member._label_ = value, label
        return member

    @property
    def label(self) -> str:
        """What people read; the name in words where none is given."""
        return self._label_ or self.name.replace("_", " ").title()


class ActorKind(TextEnum):
    """What kind of caller acts (spec 02, ExecutionContext)."""

    USER = "user", "User"
    PRODUCT = "product", "Product"
    SCHEDULER = "scheduler", "Scheduler"
    PROVIDER = "provider", "Provider"
    CONSOLE = "console", "Console"


class AuthorizationSource(TextEnum):
    """What the caller showed to be let in (spec 02, ExecutionContext)."""

    SESSION = "session", "Session"
    SERVICE_TOKEN = "service_token", "Service token"
    CRON_TOKEN = "cron_token", "Cron token"
    SCHEDULER = "scheduler", "Scheduler"
    WEBHOOK_SIGNATURE = "webhook_signature", "Webhook signature"
    CONSOLE = "console", "Console"


class Role(TextEnum):
    """Every role that a context can carry. Which of them a membership may hold: `MembershipRole`."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"
    VIEWER = "viewer", "Viewer"
    STAFF_READER = "staff_reader", "Staff, read-only"
    SUPPORT = "support", "Support"
    BILLING_OPERATIONS = "billing_operations", "Billing operations"
    PLATFORM_ADMIN = "platform_admin", "Platform admin"
    SERVICE = "service", "Service"
    SYSTEM = "system", "System"
    PROVIDER = "provider", "Provider"


class MembershipRole(TextEnum):
    """The roles of a membership, highest first: owner > admin > member > viewer (spec 02, Records)."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"
    VIEWER = "viewer", "Viewer"


class Scope(TextEnum):
    """What a service token may be used for."""

    TENANTS_WRITE = "tenants:write", "Provision users, organizations and workspaces"
    MEMBERS_READ = "members:read", "Read memberships"
    MEMBERS_WRITE = "members:write", "Report and remove memberships"
    SUBSCRIPTIONS_READ = "subscriptions:read", "Read lifecycle and payment config"
    PAYMENTS_WRITE = "payments:write", "End grace periods"
    CREDITS_READ = "credits:read", "Read policies, balances and entries"
    CREDITS_WRITE = "credits:write", "Authorize, consume, grant, reverse"
    CONNECTORS_READ = "connectors:read", "Read connectors and sync runs"
    CONNECTORS_WRITE = "connectors:write", "Create and change connectors, start syncs"
    USAGE_READ = "usage:read", "Query usage"
    PORTAL_CREATE = "portal:create", "Send members to their billing pages"
    TENANTS_MANAGE = "tenants:manage", "Identity service: relate products to organizations"
    JOBS_RUN = "jobs:run", "Start jobs (cron tokens)"


# A new product token carries these unless told otherwise (spec 09, Commands). `tenants:manage` is the identity
# service's alone, `jobs:run` belongs to cron tokens. `payments:write` ends a grace period early, with all that follows
# for the organization; a token gets it only where somebody asks for it by name.
_NOT_BY_DEFAULT = frozenset({Scope.TENANTS_MANAGE, Scope.JOBS_RUN, Scope.PAYMENTS_WRITE})
DEFAULT_PRODUCT_SCOPES: tuple[Scope, ...] = tuple(scope for scope in Scope if scope not in _NOT_BY_DEFAULT)


class LifecycleNeed(TextEnum):
    """The operation classes that the lifecycle allows or denies (spec 03, table under WorkspaceLifecycleResolver)."""

    NOTHING = "nothing", "No lifecycle need"
    READ = "read", "Read and export"
    CONSUME = "consume", "Consume and hold credits"
    EDIT_CONNECTORS = "edit_connectors", "Create or edit connectors"
    REPLACE_CREDENTIAL = "replace_credential", "Replace credentials"
    SYNC = "sync", "Sync"
    INVITE = "invite", "Invite members"


class LifecycleState(TextEnum):
    """What a workspace may do right now; decided by the WorkspaceLifecycleResolver alone (spec 03)."""

    PRE_SUBSCRIPTION = "pre_subscription", "Pre-subscription"
    TRIAL = "trial", "Trial"
    ACTIVE = "active", "Active"
    GRACE = "grace", "Grace"
    SUSPENDED_READ_ONLY = "suspended_read_only", "Suspended, read-only"
    CLOSED = "closed", "Closed"


class UsageCategory(TextEnum):
    """Under which category usage counts; only the regular one is billed (spec 01, Glossary)."""

    REGULAR = "regular", "Regular"
    FREE = "free", "Free"
    INTERNAL = "internal", "Internal"
