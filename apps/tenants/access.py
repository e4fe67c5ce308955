"""Entry points: each reads the facts of one kind of caller, asks the resolver, and raises its denial as an error.

The facts are read when they are used: a demotion counts at once.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable

from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Role, Scope
from apps.core.errors import (
    CountinghouseError,
    ForbiddenError,
    MalformedRequestError,
    NotFoundError,
    Reason,
    UnauthenticatedError,
)
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId, UserId, WorkspaceId
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.contracts import (
    AccessFacts,
    ConsoleCaller,
    CronCaller,
    EntryPoint,
    NamedTenant,
    Person,
    ProductCaller,
    ProviderCaller,
    SchedulerCaller,
    TenantFacts,
)
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Membership, Organization, ProductRelation, ServiceToken, User, Workspace
from apps.tenants.personal_accounts import PersonalFacts
from apps.tenants.resolver import Denial, resolve
from apps.tenants.selectors.missing import missing_memberships

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
    tenant: TenantFacts | None = None
    missing: Reason | None = None
    if named:
        tenant = tenant_facts(
            named[0].organization_id, caller=caller, user_id=acting_user_id, workspace_id=workspace_id
        )
    if tenant is not None and acting_user_id is not None and isinstance(caller, ProductCaller):
        missing = _missing_fact(caller, tenant, acting_user_id)
    return _resolve(AccessFacts(EntryPoint.API, caller, request_id, tuple(named), tenant, acting_user_id, missing))


def _missing_fact(caller: ProductCaller, tenant: TenantFacts, user_id: UserId) -> Reason | None:
    """Why the user is no member; read for that denial alone. To a product that is not related, another one is due."""
    may_ask = tenant.is_related_to_product or caller.is_identity_service
    if tenant.membership_role is not None or not may_ask:
        return None
    key = (tenant.organization_id, user_id)
    return missing_memberships([key], product_id=caller.product_id)[key]


def page_context(user: User, *, workspace_slug: str, request_id: RequestId) -> ExecutionContext:
    """The context of a tenant page; the tenant comes from the URL alone. Raises `NotFoundError` for the invisible."""
    tenant = tenant_facts_by_workspace_slug(workspace_slug, user_id=UserId(user.pk))
    if tenant is None:
        raise NotFoundError("There is nothing at this address, or it is not visible to you.")
    named = (NamedTenant("URL", tenant.organization_id),)
    return _resolve(AccessFacts(EntryPoint.TENANT_PAGE, person_of(user), request_id, named, tenant))


def account_context(user: User, *, request_id: RequestId) -> ExecutionContext:
    """The context in which a person acts on their own account, in no tenant and with the least role."""
    return _resolve(AccessFacts(EntryPoint.ACCOUNT, person_of(user), request_id))


def staff_context(user: User, *, organization: Organization | None = None, request_id: RequestId) -> ExecutionContext:
    """The context of a staff page; the tenant is the object on the page."""
    named: tuple[NamedTenant, ...] = ()
    tenant: TenantFacts | None = None
    if organization is not None:
        organization_id = OrganizationId(organization.pk)
        named = (NamedTenant("the object on the page", organization_id),)
        tenant = TenantFacts(organization_id=organization_id, is_demo=organization.is_demo)
    return _resolve(AccessFacts(EntryPoint.STAFF, person_of(user), request_id, named, tenant))


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
    return _resolve(AccessFacts(EntryPoint.JOBS, principal, request_id, named, tenant))


def person_of(user: User) -> Person:
    """The person as the resolver sees them: a platform role counts only behind the second factor."""
    # The second-factor middleware adds `is_verified` to the request's user; where it did not run, nobody is verified.
    is_verified: Callable[[], bool] = getattr(user, "is_verified", lambda: False)
    # Set by the middleware of visits from products, which never carry a platform role.
    visited: WorkspaceId | None = getattr(user, "portal_workspace_id", None)
    is_proven = is_verified() or user.has_proven_second_factor
    is_limited = visited is not None or user.impersonator is not None
    role = platform_role(user) if is_proven and not is_limited else None
    return Person(UserId(user.pk), user.email, role, visited, user.impersonator)


def console_context(organization: Organization | None = None) -> ExecutionContext:
    """The context of a management command: `system`, with the operating-system user as the actor's label."""
    request_id = RequestId(f"console-{uuid.uuid4().hex}")
    return _system_context(EntryPoint.COMMAND, ConsoleCaller(getpass.getuser()), organization, request_id)


def webhook_context(provider: str, *, organization: Organization | None, request_id: RequestId) -> ExecutionContext:
    """The context of a provider's event whose signature was checked; the tenant is that of the provider's customer."""
    return _system_context(EntryPoint.WEBHOOK, ProviderCaller(provider), organization, request_id)


def task_context(job: str, *, organization: Organization | None = None, request_id: RequestId) -> ExecutionContext:
    """The context of a Celery task: `system`; the role of whoever enqueued it is not inherited."""
    return _system_context(EntryPoint.TASK, SchedulerCaller(job), organization, request_id)


def _system_context(
    entry_point: EntryPoint,
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
    return _resolve(AccessFacts(entry_point, caller, request_id, named, tenant))


def _resolve(facts: AccessFacts) -> ExecutionContext:
    outcome = resolve(facts)
    if isinstance(outcome, Denial):
        error = _ERRORS.get(outcome.code, ForbiddenError)
        title = _TITLES.get(outcome.code)
        raise error(outcome.detail, code=outcome.code, title=title, explanation=outcome.explanation)
    return outcome


def tenant_facts(
    organization_id: OrganizationId,
    *,
    caller: ProductCaller | CronCaller | None = None,
    user_id: UserId | None = None,
    workspace_id: WorkspaceId | None = None,
) -> TenantFacts | None:
    """The organization with what binds it to the caller; None when there is no such organization."""
    product_id = caller.product_id if isinstance(caller, ProductCaller) else None
    row = (
        Organization.objects.filter(pk=organization_id)
        .annotate(membership_role=_role_subquery("pk", user_id), related=related_to(product_id))
        .values_list("is_demo", "membership_role", "related")
        .first()
    )
    if row is None:
        return None
    is_demo, membership_role, is_related = row
    return TenantFacts(
        organization_id=organization_id,
        workspace_id=workspace_id,
        is_demo=is_demo,
        membership_role=Role(membership_role) if membership_role else None,
        is_related_to_product=is_related,
    )


def tenant_facts_by_workspace_slug(slug: str, *, user_id: UserId) -> TenantFacts | None:
    """The tenant of the workspace that the URL names, with the user's membership in it."""
    row = (
        Workspace.objects.filter(slug=slug)
        .annotate(membership_role=_role_subquery("organization", user_id))
        .values_list("pk", "organization", "organization__is_demo", "membership_role")
        .first()
    )
    if row is None:
        return None
    workspace_id, organization_id, is_demo, membership_role = row
    return TenantFacts(
        organization_id=OrganizationId(organization_id),
        workspace_id=WorkspaceId(workspace_id),
        is_demo=is_demo,
        membership_role=Role(membership_role) if membership_role else None,
    )


def _role_subquery(organization: str, user_id: UserId | None) -> Subquery:
    return Subquery(Membership.objects.filter(organization=OuterRef(organization), user=user_id).values("role"))


def related_to(product_id: ProductId | None) -> Combinable | Q:
    """Whether a product may speak of an organization: related, or the account of a person whom it may speak of.

    A personal account is shared by all products that may speak of its owner, whichever of them opened it (spec 05).
    """
    if product_id is None:
        return Value(value=False)
    is_known = Q(user__created_by_product=product_id) | Exists(
        Membership.objects.filter(user=OuterRef("user"), organization__product_relations__product=product_id)
    )
    owner = Membership.objects.filter(
        organization=OuterRef("pk"), organization__kind=OrganizationKind.INDIVIDUAL, role=MembershipRole.OWNER
    )
    relation = ProductRelation.objects.filter(organization=OuterRef("pk"), product=product_id)
    return Q(Exists(relation)) | Q(Exists(owner.filter(is_known)))


def is_related(product_id: ProductId, organization_id: OrganizationId) -> bool:
    """Whether the product may speak of the organization."""
    return Organization.objects.filter(related_to(product_id), pk=organization_id).exists()


def personal_facts(product_id: ProductId, user_id: UserId, *, is_identity_service: bool) -> PersonalFacts:
    """How the product is related to the user, in one query."""
    shared = Membership.objects.filter(user=OuterRef("pk"), organization__product_relations__product=product_id)
    row = User.objects.filter(pk=user_id).annotate(shares=Exists(shared)).values_list("created_by_product", "shares")
    found = row.first()
    return PersonalFacts(
        user_exists=found is not None,
        is_creator=found is not None and found[0] == product_id,
        shares_organization=found is not None and found[1],
        is_identity_service=is_identity_service,
    )


def platform_role(user: User) -> Role | None:
    """The highest platform role that the user's groups give; None for anyone who is not active staff."""
    if not (user.is_active and user.is_staff):
        return None
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in PLATFORM_LADDER if role.value in names), None)


def token_scopes(token_id: ServiceTokenId, organization_id: OrganizationId, *, at: datetime) -> frozenset[Scope]:
    """What this very token permits in the organization; nothing once it is revoked or its time is over.

    A product's token permits nothing where the two are not related, unless it is the identity service's.
    """
    live = Q(expires_at=None) | Q(expires_at__gt=at)
    token = ServiceToken.objects.filter(live, pk=token_id, revoked_at=None).first()
    if token is None:
        return frozenset()
    scopes = frozenset(Scope(scope) for scope in token.scopes)
    if token.product_id is None or Scope.TENANTS_MANAGE in scopes:
        return scopes
    return scopes if is_related(ProductId(token.product_id), organization_id) else frozenset()
