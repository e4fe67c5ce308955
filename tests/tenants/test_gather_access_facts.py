"""What the resolver is given: the facts of a caller, a person and a token, each cell by itself (spec 02)."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from apps.core import clock
from apps.core.enums import MembershipRole, Role, Scope
from apps.core.errors import NotFoundError, Reason
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId, UserId, WorkspaceId
from apps.tenants import access
from apps.tenants.contracts import AccessFacts, CronCaller, Impersonator, ProductCaller, TenantFacts
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import ServiceToken, User
from tests.factories.tenants import make_membership, make_organization, make_product, make_token, make_user
from tests.tenants.test_resolve_context import CRON, IDENTITY, NAMED, ORGANIZATION, PRODUCT, USER

MISSING = Reason("membership", "deny", "a test")


@pytest.mark.parametrize("caller", [PRODUCT, IDENTITY, CRON], ids=["product", "identity", "cron"])
@pytest.mark.parametrize("acting", [None, USER], ids=["no-user", "acting-user"])
def test_why_a_user_is_no_member_is_read_for_that_denial_alone(
    caller: ProductCaller | CronCaller, acting: UserId | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a product that may speak of the organization: it is related, or is the identity service."""
    asked, seen = list[tuple[OrganizationId, UserId]](), list[AccessFacts]()

    def note(keys: Sequence[tuple[OrganizationId, UserId]], *, product_id: ProductId) -> dict[object, Reason]:
        assert product_id == PRODUCT.product_id
        asked.extend(keys)
        return dict.fromkeys(keys, MISSING)

    monkeypatch.setattr(access, "missing_memberships", note)
    monkeypatch.setattr(access, "_resolve", seen.append)
    tenants = [
        TenantFacts(ORGANIZATION, membership_role=role, is_related_to_product=is_related)
        for role, is_related in itertools.product((None, Role.VIEWER), (False, True))
    ]
    for tenant in (None, *tenants):
        asked.clear()
        monkeypatch.setattr(access, "tenant_facts", lambda *_, found=tenant, **__: found)
        access.api_context(caller, request_id=RequestId("r"), named=NAMED, acting_user_id=acting)
        is_due = (
            caller is not CRON
            and acting is not None
            and tenant is not None
            and tenant.membership_role is None
            and (tenant.is_related_to_product or caller is IDENTITY)
        )
        assert asked == ([(ORGANIZATION, USER)] if is_due else [])
        assert (seen[-1].tenant, seen[-1].missing) == (tenant, MISSING if is_due else None)


@pytest.mark.parametrize("verified", [None, False, True], ids=["no-middleware", "unverified", "verified"])
@pytest.mark.parametrize("has_proven", [False, True])
@pytest.mark.parametrize("is_visit", [False, True])
@pytest.mark.parametrize("is_impersonated", [False, True])
def test_a_platform_role_counts_behind_the_second_factor_and_not_in_somebody_elses_place(
    verified: bool | None, has_proven: bool, is_visit: bool, is_impersonated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "platform_role", lambda _: Role.SUPPORT)
    user, visited = User(email="sam@example.com"), WorkspaceId(uuid.UUID(int=8))
    user.has_proven_second_factor = has_proven
    if verified is not None:
        user.is_verified = lambda: verified  # type: ignore[attr-defined]
    if is_visit:
        user.portal_workspace_id = visited
    if is_impersonated:
        user.impersonator = Impersonator(USER, "pat@example.com", ORGANIZATION)
    found = access.person_of(user)
    counts = (bool(verified) or has_proven) and not is_visit and not is_impersonated
    assert found.platform_role == (Role.SUPPORT if counts else None)
    assert (found.portal_workspace_id, found.impersonator) == (visited if is_visit else None, user.impersonator)


@pytest.mark.django_db
def test_only_an_active_member_of_staff_has_the_highest_role_of_its_groups() -> None:
    user = make_user()
    for names in ([], ["support"], ["support", "platform_admin"]):
        user.groups.set(Group.objects.get_or_create(name=name)[0] for name in names)
        for user.is_active, user.is_staff in itertools.product((False, True), repeat=2):
            wanted = Role(names[-1]) if names and user.is_active and user.is_staff else None
            assert access.platform_role(user) == wanted


@pytest.mark.django_db
def test_an_organization_is_told_with_what_binds_it_to_the_caller() -> None:
    organization, other, user = make_organization(), make_organization(is_demo=True), make_user()
    make_membership(organization, user)
    product = make_product("red", organization)
    caller = ProductCaller(PRODUCT.token_id, ProductId(product.pk), "red", PRODUCT.scopes)
    for place, by, user_id in itertools.product(
        (organization, other), (None, CRON, PRODUCT, caller), (None, UserId(user.pk), USER)
    ):
        place_id, is_here = OrganizationId(place.pk), place is organization
        assert access.tenant_facts(place_id, caller=by, user_id=user_id) == TenantFacts(
            place_id,
            is_demo=not is_here,
            membership_role=Role.MEMBER if is_here and user_id == user.pk else None,
            is_related_to_product=is_here and by is caller,
        )
    assert access.tenant_facts(ORGANIZATION, user_id=UserId(user.pk)) is None


@pytest.mark.django_db
def test_a_page_of_no_workspace_is_not_found_and_nothing_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    user, asked = make_user(), list[AccessFacts]()
    monkeypatch.setattr(access, "_resolve", asked.append)
    assert access.tenant_facts_by_workspace_slug("nothing-here", user_id=UserId(user.pk)) is None
    with pytest.raises(NotFoundError):
        access.page_context(user, workspace_slug="nothing-here", request_id=RequestId("request-1"))
    assert asked == []


@pytest.mark.django_db
@pytest.mark.parametrize("kind", OrganizationKind)
@pytest.mark.parametrize("role", MembershipRole)
def test_a_products_own_persons_account_binds_it_too(kind: OrganizationKind, role: MembershipRole) -> None:
    product = make_product("red")
    place, user = make_organization(kind=kind), make_user()
    make_membership(place, user, role)
    User.objects.filter(pk=user.pk).update(created_by_product=product)
    caller = ProductCaller(PRODUCT.token_id, ProductId(product.pk), "red", PRODUCT.scopes)
    facts = access.tenant_facts(OrganizationId(place.pk), caller=caller)
    assert facts is not None
    assert facts.is_related_to_product == (kind == OrganizationKind.INDIVIDUAL and role == MembershipRole.OWNER)


@pytest.mark.django_db
def test_a_person_whom_no_product_made_binds_their_account_to_nobody() -> None:
    place, user = make_organization(kind=OrganizationKind.INDIVIDUAL), make_user()
    make_membership(place, user, MembershipRole.OWNER)
    assert user.created_by_product_id is None
    for caller in (None, CRON):
        facts = access.tenant_facts(OrganizationId(place.pk), caller=caller)
        assert facts is not None
        assert not facts.is_related_to_product


@pytest.mark.django_db
@pytest.mark.parametrize("is_related", [False, True])
@pytest.mark.parametrize("scopes", [(Scope.MEMBERS_READ,), (Scope.TENANTS_MANAGE,)], ids=["product", "identity"])
def test_a_token_permits_its_scopes_where_its_product_may_speak_and_while_it_lives(
    scopes: tuple[Scope, ...], is_related: bool
) -> None:
    organization = make_organization()
    make_token(make_product("red", *([organization] if is_related else [])), *scopes)
    token, now = ServiceToken.objects.get(), clock.now()
    place, token_id = OrganizationId(organization.pk), ServiceTokenId(token.pk)
    may = frozenset(scopes) if is_related or Scope.TENANTS_MANAGE in scopes else frozenset[Scope]()
    assert access.token_scopes(token_id, place, at=now) == may
    ServiceToken.objects.update(expires_at=now)
    assert access.token_scopes(token_id, place, at=now - timedelta(microseconds=1)) == may
    assert access.token_scopes(token_id, place, at=now) == frozenset()
    ServiceToken.objects.update(expires_at=None, revoked_at=now)
    assert access.token_scopes(token_id, place, at=now) == frozenset()
