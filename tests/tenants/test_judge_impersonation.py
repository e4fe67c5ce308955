"""Whom staff can view as, why an impersonation is over, and what the resolver makes of one: the rules, case by case."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.ids import UserId
from apps.core.operations import OPERATIONS, permits
from apps.tenants.contracts import EntryPoint, Impersonator, Person, TenantFacts
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.impersonation_rules import LASTS, Chosen, end_of, refuse_chosen
from apps.tenants.resolver import Denial, resolve
from tests.access.pages import DECLARED_PAGES
from tests.tenants.test_resolve_context import MEMBERSHIPS, ORGANIZATION, OTHER, USER, facts

STARTED = datetime(2026, 4, 3, 14, 42, tzinfo=UTC)
STAFF = UserId(UUID(int=9))
AS_MEMBER = Person(USER, "ann@example.com", impersonator=Impersonator(STAFF, "sam@countinghouse.example", ORGANIZATION))
CHOSEN = [Chosen(*each) for each in itertools.product((False, True), repeat=4)]


@pytest.mark.parametrize("chosen", CHOSEN)
def test_only_an_active_member_who_is_no_colleague_can_be_viewed_as(chosen: Chosen) -> None:
    is_fit = chosen.is_member and chosen.is_active and not chosen.is_staff and not chosen.is_oneself
    assert (refuse_chosen(chosen) == "") == is_fit


@pytest.mark.parametrize("chosen", CHOSEN)
def test_it_ends_with_the_role_the_hour_or_the_membership(chosen: Chosen) -> None:
    for staff_may, minutes in itertools.product((False, True), (0, 59, 60, 61)):
        causes = {
            ImpersonationEnd.ROLE_LOST: not staff_may,
            ImpersonationEnd.EXPIRED: minutes >= 60,
            ImpersonationEnd.MEMBER_GONE: bool(refuse_chosen(chosen)),
        }
        now = STARTED + timedelta(minutes=minutes)
        found = end_of(staff_may=staff_may, chosen=chosen, ends_at=STARTED + LASTS, now=now)
        assert found is next((cause for cause, holds in causes.items() if holds), None)


@pytest.mark.parametrize(
    ("organization", "membership", "is_demo"),
    list(itertools.product((ORGANIZATION, OTHER), MEMBERSHIPS, (False, True))),
)
def test_a_page_of_that_organization_alone_opens_with_the_members_role(
    organization: object, membership: Role | None, is_demo: bool
) -> None:
    tenant = TenantFacts(organization, is_demo=is_demo, membership_role=membership)  # type: ignore[arg-type]
    found = resolve(facts(EntryPoint.TENANT_PAGE, AS_MEMBER, tenant))
    if organization == OTHER or membership is None:
        assert isinstance(found, Denial)
        assert found.code == "not_found"
    else:
        assert isinstance(found, ExecutionContext)
        assert (found.role, found.is_impersonated) == (membership, True)
        assert (found.actor.id, found.actor.label) == (str(STAFF), "sam@countinghouse.example")


def test_the_staff_plane_does_not_open_to_the_member_as_whom_staff_view() -> None:
    assert isinstance(resolve(facts(EntryPoint.STAFF, AS_MEMBER)), Denial)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER])
def test_an_impersonator_may_what_the_member_may_and_changes_nothing(role: Role) -> None:
    found = resolve(facts(EntryPoint.JOBS, AS_MEMBER, TenantFacts(ORGANIZATION, membership_role=role)))
    assert isinstance(found, ExecutionContext)
    for name, operation in OPERATIONS.items():
        as_member = permits(replace(found, is_impersonated=False), name)
        assert permits(found, name) == (as_member and operation.is_reading), name


def test_names_say_which_operations_of_pages_change_something() -> None:
    """What a page asks for with POST changes something; what it asks for with GET alone does not."""
    asked = [(method, cell[0]) for cells in DECLARED_PAGES.values() for method, cell in cells.items()]
    changing = {name for method, name in asked if method == "POST"}
    reading = {name for method, name in asked if method == "GET"} - changing
    assert {name for name in changing if OPERATIONS[name].is_reading} == set()
    assert {name for name in reading if not OPERATIONS[name].is_reading} == set()
    # And the other way round, of every operation that a tenant reaches.
    words = ("change", "edit", "disable", "start", "sync", "invite", "credential", "recipients")
    for name, operation in OPERATIONS.items():
        if operation.tenant_role is not None and operation.is_reading:
            assert not name.endswith(words)
