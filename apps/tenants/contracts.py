"""The input of the context resolver: the principal, the named tenant, and how the two are related."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from apps.core.enums import Role, Scope
from apps.core.errors import Reason
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId, UserId, WorkspaceId


class EntryPoint(Enum):
    """Where the caller comes in; decides where the tenant may come from (spec 02, table)."""

    TENANT_PAGE = "tenant page"
    ACCOUNT = "own account"
    STAFF = "admin"
    API = "internal API"
    JOBS = "job endpoint"
    WEBHOOK = "webhook"
    TASK = "Celery task"
    COMMAND = "management command"


@dataclass(frozen=True, slots=True)
class Impersonator:
    """The member of staff who really looks, and the one organization whose pages they see as a member."""

    user_id: UserId
    label: str
    organization_id: OrganizationId


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user. `platform_role` is None unless staff, active, and verified with the second factor.

    `portal_workspace_id` is the one workspace that a visit from a product may see. With an `impersonator` the person is
    the member as whom that member of staff looks.
    """

    user_id: UserId
    label: str
    platform_role: Role | None = None
    portal_workspace_id: WorkspaceId | None = None
    impersonator: Impersonator | None = None


@dataclass(frozen=True, slots=True)
class ProductCaller:
    """A product that showed a live service token."""

    token_id: ServiceTokenId
    product_id: ProductId
    product_slug: str
    scopes: frozenset[Scope]

    @property
    def is_identity_service(self) -> bool:
        """The identity service is the product with the scope `tenants:manage`; it may speak of every organization."""
        return Scope.TENANTS_MANAGE in self.scopes


@dataclass(frozen=True, slots=True)
class CronCaller:
    """An outside scheduler that showed a live cron token."""

    token_id: ServiceTokenId
    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class ProviderCaller:
    """Stripe or Orb, known by the signature of the webhook."""

    provider: str


@dataclass(frozen=True, slots=True)
class SchedulerCaller:
    """A Celery task; it has none of the rights of whoever enqueued it."""

    job: str


@dataclass(frozen=True, slots=True)
class ConsoleCaller:
    """A management command, run by a user of the operating system."""

    os_user: str


Principal = Person | ProductCaller | CronCaller | ProviderCaller | SchedulerCaller | ConsoleCaller


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The tenant as stored now, and how the principal is related to it."""

    organization_id: OrganizationId
    workspace_id: WorkspaceId | None = None
    is_demo: bool = False
    # Of the signed-in person, or of the user on whose behalf a product acts.
    membership_role: Role | None = None
    is_related_to_product: bool = False


@dataclass(frozen=True, slots=True)
class NamedTenant:
    """One place of the request that names a tenant, such as ("body: organization_id", <id>)."""

    source: str
    organization_id: OrganizationId


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """Everything that one resolution rests on. `tenant` is None where none was named, or it does not exist."""

    entry_point: EntryPoint
    principal: Principal
    request_id: RequestId
    named: tuple[NamedTenant, ...] = field(default_factory=tuple)
    tenant: TenantFacts | None = None
    acting_user_id: UserId | None = None
    # Why the acting user is no member, where that is read.
    missing: Reason | None = None

    @property
    def names_a_tenant(self) -> bool:
        return bool(self.named)
