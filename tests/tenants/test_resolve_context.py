"""The context resolver's whole table, cell by cell, without HTTP (spec 02, ExecutionContext)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from uuid import UUID

import pytest

from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource, Role, Scope
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId, UserId, WorkspaceId
from apps.tenants.contracts import (
    AccessFacts,
    ConsoleCaller,
    CronCaller,
    EntryPoint,
    Impersonator,
    NamedTenant,
    Person,
    ProductCaller,
    ProviderCaller,
    SchedulerCaller,
    TenantFacts,
)
from apps.tenants.resolver import Denial, resolve

ORGANIZATION = OrganizationId(UUID(int=1))
OTHER = OrganizationId(UUID(int=2))
WORKSPACE = WorkspaceId(UUID(int=7))
USER = UserId(UUID(int=3))
PRODUCT = ProductCaller(
    ServiceTokenId(UUID(int=4)), ProductId(UUID(int=5)), "red", frozenset({Scope.MEMBERS_READ, Scope.MEMBERS_WRITE})
)
IDENTITY = replace(PRODUCT, product_slug="identity", scopes=frozenset({Scope.TENANTS_MANAGE}))
CRON = CronCaller(ServiceTokenId(UUID(int=6)), "nightly", frozenset({Scope.JOBS_RUN}))
PLAIN = Person(USER, "ann@example.com")
STAFF = Person(USER, "sam@example.com", platform_role=Role.SUPPORT)
NAMED = (NamedTenant("URL", ORGANIZATION),)

MEMBERSHIPS = (None, Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)


def facts(entry_point: EntryPoint, principal: object, tenant: TenantFacts | None = None, **more: object) -> AccessFacts:
    named = more.pop("named", NAMED if tenant is not None else ())
    return AccessFacts(entry_point, principal, RequestId("request-1"), named=named, tenant=tenant, **more)  # type: ignore[arg-type]


def expected_page_role(*, is_staff: bool, is_demo: bool, membership: Role | None) -> Role | None:
    """The tenant-page row of the table, written a second time: membership; demo; staff; nothing."""
    table: dict[tuple[bool, bool], Role | None] = {
        (False, False): None,
        (False, True): Role.VIEWER,
        (True, False): Role.STAFF_READER,
        (True, True): Role.ADMIN,
    }
    return membership or table[(is_staff, is_demo)]


PAGE_CELLS = list(itertools.product((False, True), (False, True), MEMBERSHIPS))


@pytest.mark.parametrize(("is_staff", "is_demo", "membership"), PAGE_CELLS)
def test_a_tenant_page_takes_membership_then_demo_rule_then_staff(
    is_staff: bool, is_demo: bool, membership: Role | None
) -> None:
    person = STAFF if is_staff else PLAIN
    tenant = TenantFacts(ORGANIZATION, is_demo=is_demo, membership_role=membership)
    outcome = resolve(facts(EntryPoint.TENANT_PAGE, person, tenant))
    role = expected_page_role(is_staff=is_staff, is_demo=is_demo, membership=membership)
    if role is None:
        assert isinstance(outcome, Denial)
        assert outcome.code == "not_found"
    else:
        assert isinstance(outcome, ExecutionContext)
        assert (outcome.role, outcome.organization_id, outcome.is_demo) == (role, ORGANIZATION, is_demo)
        assert outcome.authorization_source == AuthorizationSource.SESSION


TENANTS = (
    None,
    *(
        TenantFacts(of, workspace_id=workspace, is_demo=is_demo, membership_role=membership)
        for of, workspace, is_demo, membership in itertools.product(
            (ORGANIZATION, OTHER), (WORKSPACE, WorkspaceId(UUID(int=8))), (False, True), (None, Role.MEMBER)
        )
    ),
)


@pytest.mark.parametrize("named", [NAMED, ()], ids=["named", "unnamed"])
@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("is_impersonated", [False, True])
@pytest.mark.parametrize("is_visit", [False, True])
def test_a_visit_sees_its_workspace_and_whoever_looks_as_a_member_that_organization(
    tenant: TenantFacts | None, named: tuple[NamedTenant, ...], is_impersonated: bool, is_visit: bool
) -> None:
    """Neither sees the demo, nor what the person is no member of; both say so in the context."""
    person = replace(
        PLAIN,
        portal_workspace_id=WORKSPACE if is_visit else None,
        impersonator=Impersonator(USER, "sam@example.com", ORGANIZATION) if is_impersonated else None,
    )
    outcome = resolve(facts(EntryPoint.TENANT_PAGE, person, tenant, named=named))
    is_member = tenant is not None and tenant.membership_role is not None
    may = is_member or (tenant is not None and tenant.is_demo)
    if is_visit:
        may = is_member and tenant is not None and tenant.workspace_id == WORKSPACE
    if is_impersonated:
        may = may and is_member and tenant is not None and tenant.organization_id == ORGANIZATION
    assert isinstance(outcome, ExecutionContext) is may
    if isinstance(outcome, ExecutionContext):
        assert (outcome.is_visit, outcome.is_impersonated) == (is_visit, is_impersonated)


def test_an_invisible_tenant_and_an_absent_one_get_the_very_same_denial() -> None:
    invisible = resolve(facts(EntryPoint.TENANT_PAGE, PLAIN, TenantFacts(ORGANIZATION)))
    absent = resolve(facts(EntryPoint.TENANT_PAGE, PLAIN, None, named=NAMED))
    assert isinstance(invisible, Denial)
    assert invisible == absent


@pytest.mark.parametrize("is_related", [False, True])
@pytest.mark.parametrize("caller", [PRODUCT, IDENTITY], ids=["product", "identity"])
@pytest.mark.parametrize("acting", [None, USER], ids=["no-user", "acting-user"])
@pytest.mark.parametrize("membership", [None, Role.VIEWER])
def test_a_product_needs_a_relation_and_its_acting_user_a_membership(
    is_related: bool, caller: ProductCaller, acting: UserId | None, membership: Role | None
) -> None:
    tenant = TenantFacts(ORGANIZATION, membership_role=membership, is_related_to_product=is_related)
    outcome = resolve(facts(EntryPoint.API, caller, tenant, acting_user_id=acting))
    if not is_related and caller is PRODUCT:
        assert isinstance(outcome, Denial)
        assert outcome.code == "product_not_related"
    elif acting is not None and membership is None:
        assert isinstance(outcome, Denial)
        assert outcome.code == "not_a_member"
        assert str(USER) in outcome.explanation[0].fact
    else:
        assert isinstance(outcome, ExecutionContext)
        assert (outcome.role, outcome.scopes, outcome.product_id) == (Role.SERVICE, caller.scopes, caller.product_id)


@pytest.mark.parametrize("caller", [PRODUCT, IDENTITY], ids=["product", "identity"])
def test_a_product_that_names_no_tenant_has_its_scopes_and_no_organization(caller: ProductCaller) -> None:
    outcome = resolve(facts(EntryPoint.API, caller, acting_user_id=USER))
    assert isinstance(outcome, ExecutionContext)
    assert (outcome.role, outcome.scopes, outcome.organization_id) == (Role.SERVICE, caller.scopes, None)


@pytest.mark.parametrize("entry_point", list(EntryPoint))
def test_a_cron_token_opens_the_job_endpoint_alone(entry_point: EntryPoint) -> None:
    outcome = resolve(facts(entry_point, CRON))
    assert isinstance(outcome, ExecutionContext) == (entry_point is EntryPoint.JOBS)
    if isinstance(outcome, ExecutionContext):
        assert (outcome.role, outcome.authorization_source) == (Role.SYSTEM, AuthorizationSource.CRON_TOKEN)


def test_who_is_of_no_known_kind_gets_no_context() -> None:
    for entry_point in EntryPoint:
        with pytest.raises(AssertionError):
            resolve(facts(entry_point, object()))


PLATFORM_ROLES = (None, Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN)


@pytest.mark.parametrize("is_demo", [False, True])
@pytest.mark.parametrize("membership", MEMBERSHIPS)
@pytest.mark.parametrize("platform_role", PLATFORM_ROLES)
def test_jobs_and_pages_take_the_same_order_and_differ_in_what_staff_are_last(
    platform_role: Role | None, membership: Role | None, is_demo: bool
) -> None:
    person = replace(PLAIN, platform_role=platform_role)
    tenant = TenantFacts(ORGANIZATION, is_demo=is_demo, membership_role=membership)
    page, job = resolve(facts(EntryPoint.TENANT_PAGE, person, tenant)), resolve(facts(EntryPoint.JOBS, person, tenant))
    on_page = expected_page_role(is_staff=platform_role is not None, is_demo=is_demo, membership=membership)
    assert (page.role if isinstance(page, ExecutionContext) else None) == on_page
    at_job = platform_role if on_page is Role.STAFF_READER else on_page
    assert (job.role if isinstance(job, ExecutionContext) else None) == at_job
    if at_job is None:
        assert job == page


@pytest.mark.parametrize("platform_role", PLATFORM_ROLES)
def test_only_staff_start_a_job_for_every_organization(platform_role: Role | None) -> None:
    everywhere = resolve(facts(EntryPoint.JOBS, replace(PLAIN, platform_role=platform_role)))
    assert (everywhere.role if isinstance(everywhere, ExecutionContext) else None) == platform_role
    if isinstance(everywhere, Denial):
        assert (everywhere.code, bool(everywhere.explanation)) == ("not_allowed", True)


@pytest.mark.parametrize(
    ("principal", "entry_point", "role", "source"),
    [
        (ProviderCaller("stripe"), EntryPoint.WEBHOOK, Role.PROVIDER, AuthorizationSource.WEBHOOK_SIGNATURE),
        (SchedulerCaller("drain-outbox"), EntryPoint.TASK, Role.SYSTEM, AuthorizationSource.SCHEDULER),
        (ConsoleCaller("root"), EntryPoint.COMMAND, Role.SYSTEM, AuthorizationSource.CONSOLE),
    ],
)
@pytest.mark.parametrize("has_tenant", [False, True])
def test_machines_have_a_role_of_their_own(
    principal: object, entry_point: EntryPoint, role: Role, source: AuthorizationSource, has_tenant: bool
) -> None:
    outcome = resolve(facts(entry_point, principal, TenantFacts(ORGANIZATION) if has_tenant else None))
    assert isinstance(outcome, ExecutionContext)
    assert (outcome.role, outcome.authorization_source) == (role, source)
    assert outcome.organization_id == (ORGANIZATION if has_tenant else None)


@pytest.mark.parametrize("platform_role", [None, Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN])
def test_the_admin_takes_the_platform_role_whatever_the_membership(platform_role: Role | None) -> None:
    person = Person(USER, "sam@example.com", platform_role=platform_role)
    outcome = resolve(facts(EntryPoint.STAFF, person, TenantFacts(ORGANIZATION, membership_role=Role.OWNER)))
    if platform_role is None:
        assert isinstance(outcome, Denial)
        assert "platform role" in outcome.detail
    else:
        assert isinstance(outcome, ExecutionContext)
        assert outcome.role == platform_role


@pytest.mark.parametrize("principal", [PLAIN, STAFF, PRODUCT, IDENTITY, CRON])
def test_two_sources_that_disagree_about_the_tenant_are_refused_for_everybody(principal: object) -> None:
    named = (NamedTenant("URL", ORGANIZATION), NamedTenant("body: organization_id", OTHER))
    outcome = resolve(facts(EntryPoint.API, principal, TenantFacts(ORGANIZATION), named=named))
    assert isinstance(outcome, Denial)
    assert outcome.code == "tenant_ambiguous"
    assert "URL" in outcome.detail
    assert "body: organization_id" in outcome.detail


def test_a_product_is_told_which_organization_is_absent() -> None:
    outcome = resolve(facts(EntryPoint.API, PRODUCT, None, named=NAMED))
    assert isinstance(outcome, Denial)
    assert outcome.code == "not_found"
    assert str(ORGANIZATION) in outcome.detail


def test_a_session_at_the_product_api_is_no_credential() -> None:
    outcome = resolve(facts(EntryPoint.API, STAFF, TenantFacts(ORGANIZATION)))
    assert isinstance(outcome, Denial)
    assert outcome.code == "not_authenticated"
