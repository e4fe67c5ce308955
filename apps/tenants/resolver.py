"""THE context resolver: facts in, an execution context or a denial with its explanation out (spec 02, table).

Pure: no query, no request, no clock, so the whole table is tested cell by cell. The order of the rules is the order
of the code. Denials become errors in `apps.tenants.access`, and HTTP in `apps.core.wire.problems`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from apps.core.context import Actor, ExecutionContext, MachinerySource, system_context
from apps.core.enums import ActorKind, AuthorizationSource, Role
from apps.core.errors import Reason
from apps.tenants.contracts import (
    AccessFacts,
    ConsoleCaller,
    CronCaller,
    EntryPoint,
    Person,
    Principal,
    ProductCaller,
    ProviderCaller,
    SchedulerCaller,
    TenantFacts,
)
from apps.tenants.missing_rules import MissingFacts, explain_missing


@dataclass(frozen=True, slots=True)
class Denial:
    """Why no context can be given. `code` is one of the problem codes of spec 09 and 11."""

    code: str
    detail: str
    explanation: tuple[Reason, ...]


def resolve(facts: AccessFacts) -> ExecutionContext | Denial:
    """Decide who acts, for which tenant and with which role; the first rule that matches decides."""
    ambiguity = _find_ambiguity(facts)
    if ambiguity is not None:
        return ambiguity
    if facts.names_a_tenant and facts.tenant is None:
        return _deny_absent_tenant(facts)
    return _resolve_principal(facts, facts.principal)


def _resolve_principal(facts: AccessFacts, principal: Principal) -> ExecutionContext | Denial:
    match principal:
        case Person():
            return _resolve_person(facts, principal)
        case ProductCaller():
            return _resolve_product(facts, principal)
        case CronCaller():
            return _resolve_cron(facts, principal)
        # No outsider can pose as these: a checked signature, our own scheduler, our own console.
        case ProviderCaller(provider):
            return _make_context(facts, Actor(ActorKind.PROVIDER, provider, provider), Role.PROVIDER)
        case SchedulerCaller(job):
            return _internal_context(facts, AuthorizationSource.SCHEDULER, job)
        case ConsoleCaller(os_user):
            return _internal_context(facts, AuthorizationSource.CONSOLE, os_user)
    assert_never(principal)


def _internal_context(facts: AccessFacts, source: MachinerySource, name: str) -> ExecutionContext:
    tenant = facts.tenant
    return system_context(
        source,
        name=name,
        request_id=facts.request_id,
        organization_id=tenant.organization_id if tenant else None,
        workspace_id=tenant.workspace_id if tenant else None,
        is_demo=tenant.is_demo if tenant else False,
    )


def _find_ambiguity(facts: AccessFacts) -> Denial | None:
    if len({named.organization_id for named in facts.named}) <= 1:
        return None
    sources = ", ".join(f"{named.source} names {named.organization_id}" for named in facts.named)
    return Denial(
        "tenant_ambiguous",
        f"The request names more than one organization ({sources}). Send one request for each.",
        (Reason("one_tenant", "deny", sources),),
    )


def _deny_absent_tenant(facts: AccessFacts) -> Denial:
    """For a person the very answer that an invisible tenant gets; a product is told which id is unknown."""
    if isinstance(facts.principal, Person):
        return _deny_hidden()
    named = facts.named[0]
    return Denial(
        "not_found",
        f"There is no organization {named.organization_id} ({named.source}).",
        (Reason("tenant_exists", "deny", "no such organization", f"organization:{named.organization_id}"),),
    )


def _deny_hidden() -> Denial:
    return Denial("not_found", "There is nothing at this address, or it is not visible to you.", ())


def _resolve_person(facts: AccessFacts, person: Person) -> ExecutionContext | Denial:
    match facts.entry_point:
        case EntryPoint.STAFF:
            return _resolve_staff(facts, person)
        case EntryPoint.TENANT_PAGE:
            return _resolve_member(facts, person)
        case EntryPoint.ACCOUNT:
            return _make_context(facts, _user_actor(person), Role.VIEWER)
        case EntryPoint.JOBS:
            return _resolve_job_starter(facts, person)
        case _:
            return Denial(
                "not_authenticated",
                "This address takes a service token (Authorization: Bearer …), not a session.",
                (Reason("credential", "deny", "a session was shown where a service token is due"),),
            )


def _resolve_staff(facts: AccessFacts, person: Person) -> ExecutionContext | Denial:
    if person.platform_role is None:
        return Denial(
            "not_allowed",
            f"{person.label} has no platform role. Ask a platform admin for one.",
            (Reason("platform_role", "deny", "no verified platform role", f"user:{person.user_id}"),),
        )
    return _make_context(facts, _user_actor(person), person.platform_role)


def _resolve_member(facts: AccessFacts, person: Person) -> ExecutionContext | Denial:
    """Membership, else the demo rule, else staff read-only, else the page of a tenant that does not exist."""
    tenant = facts.tenant
    if person.portal_workspace_id is not None and (
        tenant is None or tenant.workspace_id != person.portal_workspace_id or tenant.membership_role is None
    ):
        return _deny_hidden()
    if person.impersonator is not None and (
        tenant is None
        or tenant.organization_id != person.impersonator.organization_id
        or tenant.membership_role is None
    ):
        return _deny_hidden()
    role = tenant_role(tenant, person) if tenant is not None else None
    return _make_context(facts, _user_actor(person), role) if role is not None else _deny_hidden()


def tenant_role(tenant: TenantFacts, person: Person) -> Role | None:
    """The person's role on the tenant's pages, where staff who are no members only read."""
    return _first_role(tenant, person, Role.STAFF_READER)


def job_role(tenant: TenantFacts, person: Person) -> Role | None:
    """The person's role where jobs and syncs of the tenant are started: the same order, with the platform role last."""
    return _first_role(tenant, person, person.platform_role)


def _first_role(tenant: TenantFacts, person: Person, as_staff: Role | None) -> Role | None:
    """The same order everywhere: an explicit membership, then the demo rule, then the role of staff there (spec 02)."""
    is_staff = person.platform_role is not None
    if tenant.membership_role is not None:
        return tenant.membership_role
    if tenant.is_demo:
        return Role.ADMIN if is_staff else Role.VIEWER
    return as_staff if is_staff else None


def _resolve_job_starter(facts: AccessFacts, person: Person) -> ExecutionContext | Denial:
    """For every organization at once with a platform role alone; in a named one with the role that one has there."""
    if facts.tenant is not None:
        role = job_role(facts.tenant, person)
        return _make_context(facts, _user_actor(person), role) if role is not None else _deny_hidden()
    if person.platform_role is not None:
        return _make_context(facts, _user_actor(person), person.platform_role)
    return Denial(
        "not_allowed",
        "Only staff may start a job for every organization. Name yours: organization_id.",
        (Reason("platform_role", "deny", "no organization was named", f"user:{person.user_id}"),),
    )


def _resolve_product(facts: AccessFacts, product: ProductCaller) -> ExecutionContext | Denial:
    tenant = facts.tenant
    if tenant is not None and not (tenant.is_related_to_product or product.is_identity_service):
        return _deny_unrelated(tenant, product)
    if tenant is not None and facts.acting_user_id is not None and tenant.membership_role is None:
        return Denial(
            "not_a_member",
            f"User {facts.acting_user_id} is not a member of organization {tenant.organization_id}.",
            (facts.missing or explain_missing(MissingFacts(tenant.organization_id, facts.acting_user_id)),),
        )
    return _make_context(facts, Actor(ActorKind.PRODUCT, str(product.product_id), product.product_slug), Role.SERVICE)


def _deny_unrelated(tenant: TenantFacts, product: ProductCaller) -> Denial:
    return Denial(
        "product_not_related",
        f"Product {product.product_slug} is not related to organization {tenant.organization_id}: it did not create "
        "it, and neither the identity service nor staff related the two.",
        (
            Reason(
                "product_relation",
                "deny",
                f"no relation of product {product.product_slug}",
                f"organization:{tenant.organization_id}",
            ),
        ),
    )


def _resolve_cron(facts: AccessFacts, cron: CronCaller) -> ExecutionContext | Denial:
    if facts.entry_point is not EntryPoint.JOBS:
        return Denial(
            "not_allowed",
            "A cron token only starts jobs: POST /api/v1/internal/jobs/{name}:run.",
            (Reason("credential", "deny", "a cron token was shown", f"service_token:{cron.token_id}"),),
        )
    return _make_context(facts, Actor(ActorKind.SCHEDULER, str(cron.token_id), f"cron:{cron.name}"), Role.SYSTEM)


def _user_actor(person: Person) -> Actor:
    """Who really acts: staff who look as a member act as themselves."""
    if person.impersonator is not None:
        return Actor(ActorKind.USER, str(person.impersonator.user_id), person.impersonator.label)
    return Actor(ActorKind.USER, str(person.user_id), person.label)


def _make_context(facts: AccessFacts, actor: Actor, role: Role) -> ExecutionContext:
    tenant, principal = facts.tenant, facts.principal
    return ExecutionContext(
        actor=actor,
        role=role,
        authorization_source=_SOURCES[type(principal)],
        request_id=facts.request_id,
        organization_id=tenant.organization_id if tenant else None,
        workspace_id=tenant.workspace_id if tenant else None,
        product_id=principal.product_id if isinstance(principal, ProductCaller) else None,
        token_id=principal.token_id if isinstance(principal, ProductCaller | CronCaller) else None,
        scopes=principal.scopes if isinstance(principal, ProductCaller | CronCaller) else frozenset(),
        is_demo=tenant.is_demo if tenant else False,
        is_visit=isinstance(principal, Person) and principal.portal_workspace_id is not None,
        is_impersonated=isinstance(principal, Person) and principal.impersonator is not None,
    )


_SOURCES: dict[type[Principal], AuthorizationSource] = {
    Person: AuthorizationSource.SESSION,
    ProductCaller: AuthorizationSource.SERVICE_TOKEN,
    CronCaller: AuthorizationSource.CRON_TOKEN,
    ProviderCaller: AuthorizationSource.WEBHOOK_SIGNATURE,
}
