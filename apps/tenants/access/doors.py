"""The doors: each fetches the facts of one kind of caller, asks the resolver, and raises its denial as an error."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable, Sequence

from apps.core.context import ExecutionContext
from apps.core.errors import (
    CountinghouseError,
    ForbiddenError,
    MalformedRequestError,
    NotFoundError,
    UnauthenticatedError,
)
from apps.core.ids import OrganizationId, RequestId, UserId, WorkspaceId
from apps.tenants.access.resolver import Denial, resolve
from apps.tenants.contracts import (
    AccessFacts,
    ConsoleCaller,
    CronCaller,
    Door,
    NamedTenant,
    Person,
    ProductCaller,
    ProviderCaller,
    SchedulerCaller,
    TenantFacts,
)
from apps.tenants.models import Organization, User
from apps.tenants.selectors.access import platform_role, tenant_facts, tenant_facts_by_workspace_slug

_ERRORS: dict[str, type[CountinghouseError]] = {
    "tenant_ambiguous": MalformedRequestError,
    "ambiguous_principal": MalformedRequestError,
    "not_authenticated": UnauthenticatedError,
    "not_found": NotFoundError,
}
_TITLES = {
    "tenant_ambiguous": "The request names more than one tenant",
    "product_not_related": "Product not related to this organization",
    "not_a_member": "Not a member of this organization",
}


def api_context(
    caller: ProductCaller | CronCaller,
    *,
    request_id: RequestId,
    named: Sequence[NamedTenant] = (),
    workspace_id: WorkspaceId | None = None,
    acting_user_id: UserId | None = None,
) -> ExecutionContext:
    """The context of a product's call. `named` lists every id of the URL and body that names an organization."""
    tenant = None
    if named:
        tenant = tenant_facts(
            named[0].organization_id, caller=caller, user_id=acting_user_id, workspace_id=workspace_id
        )
    return _resolved(AccessFacts(Door.API, caller, request_id, tuple(named), tenant, acting_user_id))


def page_context(user: User, *, workspace_slug: str, request_id: RequestId) -> ExecutionContext:
    """The context of a tenant page; the tenant comes from the URL alone. Raises `NotFoundError` for the invisible."""
    tenant = tenant_facts_by_workspace_slug(workspace_slug, user_id=UserId(user.pk))
    if tenant is None:
        raise NotFoundError("There is nothing here that you can see.")
    named = (NamedTenant("URL", tenant.organization_id),)
    return _resolved(AccessFacts(Door.TENANT_PAGE, person_of(user), request_id, named, tenant))


def account_context(user: User, *, request_id: RequestId) -> ExecutionContext:
    """The context in which a person acts on their own account, in no tenant and with the least role."""
    return _resolved(AccessFacts(Door.ACCOUNT, person_of(user), request_id))


def staff_context(user: User, *, organization: Organization | None = None, request_id: RequestId) -> ExecutionContext:
    """The context of a staff page; the tenant is the object on the page."""
    named: tuple[NamedTenant, ...] = ()
    tenant: TenantFacts | None = None
    if organization is not None:
        organization_id = OrganizationId(organization.pk)
        named = (NamedTenant("the object on the page", organization_id),)
        tenant = TenantFacts(organization_id=organization_id, is_demo=organization.is_demo)
    return _resolved(AccessFacts(Door.STAFF, person_of(user), request_id, named, tenant))


def job_context(
    principal: Person | CronCaller, *, organization_id: OrganizationId | None, request_id: RequestId
) -> ExecutionContext:
    """Cron or authenticated: the context of a request that starts a job (spec 02)."""
    named: tuple[NamedTenant, ...] = ()
    tenant = None
    if organization_id is not None:
        named = (NamedTenant("body: organization_id", organization_id),)
        user_id = principal.user_id if isinstance(principal, Person) else None
        tenant = tenant_facts(organization_id, user_id=user_id)
    return _resolved(AccessFacts(Door.JOBS, principal, request_id, named, tenant))


def person_of(user: User) -> Person:
    """The person as the resolver sees them: a platform role counts only behind the second factor."""
    # The second-factor middleware adds `is_verified` to the request's user; where it did not run, nobody is verified.
    is_verified: Callable[[], bool] = getattr(user, "is_verified", lambda: False)
    # Set by the middleware of visits from products, which never carry a platform role.
    visited: WorkspaceId | None = getattr(user, "portal_workspace_id", None)
    role = platform_role(user) if visited is None and is_verified() else None
    return Person(UserId(user.pk), user.email, role, visited)


def console_context(organization: Organization | None = None) -> ExecutionContext:
    """The context of a management command: `system`, with the operating-system user as the actor's label."""
    request_id = RequestId(f"console-{uuid.uuid4().hex}")
    return _of_inside(Door.COMMAND, ConsoleCaller(getpass.getuser()), organization, request_id)


def webhook_context(provider: str, *, organization: Organization | None, request_id: RequestId) -> ExecutionContext:
    """The context of a provider's event whose signature was checked; the tenant is that of the provider's customer."""
    return _of_inside(Door.WEBHOOK, ProviderCaller(provider), organization, request_id)


def task_context(job: str, *, organization: Organization | None = None, request_id: RequestId) -> ExecutionContext:
    """The context of a Celery task: `system`; the role of whoever enqueued it is not inherited."""
    return _of_inside(Door.TASK, SchedulerCaller(job), organization, request_id)


def _of_inside(
    door: Door,
    caller: ConsoleCaller | SchedulerCaller | ProviderCaller,
    organization: Organization | None,
    request_id: RequestId,
) -> ExecutionContext:
    named: tuple[NamedTenant, ...] = ()
    tenant: TenantFacts | None = None
    if organization is not None:
        organization_id = OrganizationId(organization.pk)
        named = (NamedTenant("the arguments", organization_id),)
        tenant = TenantFacts(organization_id=organization_id, is_demo=organization.is_demo)
    return _resolved(AccessFacts(door, caller, request_id, named, tenant))


def _resolved(facts: AccessFacts) -> ExecutionContext:
    outcome = resolve(facts)
    if isinstance(outcome, Denial):
        raise error_of(outcome)
    return outcome


def error_of(denial: Denial) -> CountinghouseError:
    """The denial as an error with its code, sentence and explanation."""
    error = _ERRORS.get(denial.code, ForbiddenError)
    return error(denial.detail, code=denial.code, title=_TITLES.get(denial.code), explanation=denial.explanation)
