"""A refusal says in words what is not allowed, who can allow it and what to do, and names nothing of the code."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource, Role, Scope
from apps.core.errors import ForbiddenError
from apps.core.operations import OPERATIONS, TENANT_LADDER, permits, require
from tests.contexts import staff_context

CASES = {
    ("connector.edit", Role.VIEWER): (
        "You can't change connectors with the role Viewer. Ask an admin or an owner of the organization."
    ),
    ("checkout.start", Role.ADMIN): (
        "You can't change how the organization pays with the role Admin. Ask an owner of the organization."
    ),
    ("checkout.start", Role.PLATFORM_ADMIN): (
        "You can't change how the organization pays with the role Platform admin. Ask an owner of the organization."
    ),
    ("credits.grant", Role.SUPPORT): (
        "You can't grant credits with the role Support. "
        "It takes the role Billing operations or a higher one: ask a colleague who has it."
    ),
    ("tokens.manage", Role.BILLING_OPERATIONS): (
        "You can't create or revoke service tokens with the role Billing operations. "
        "It takes the role Platform admin: ask a colleague who has it."
    ),
    ("jobs.drain_outbox", Role.SUPPORT): (
        "You can't start this job with the role Support. "
        "It takes the role Billing operations or a higher one: ask a colleague who has it."
    ),
    ("credits.consume", Role.ADMIN): (
        "You can't do this with the role Admin. Only a product can, with a service token."
    ),
    ("audit.read", Role.OWNER): (
        "You can't read the audit log with the role Owner. Only our billing team can: contact them."
    ),
    ("settings.change", Role.STAFF_READER): (
        "You can't change the settings with the role Staff, read-only. "
        "Staff can only look at these pages. Use the staff pages to change something for this organization."
    ),
}


def refuse_with(context: ExecutionContext, operation: str) -> ForbiddenError:
    with pytest.raises(ForbiddenError) as refusal:
        require(context, operation)
    return refusal.value


def test_a_person_reads_what_is_refused_and_whom_to_ask() -> None:
    said = {case: refuse_with(staff_context(case[1]), case[0]).detail for case in CASES}
    assert said == CASES


def test_a_visitor_and_a_token_are_told_their_way() -> None:
    visit = dataclasses.replace(staff_context(Role.OWNER), is_visit=True)
    token = dataclasses.replace(
        staff_context(Role.SERVICE), authorization_source=AuthorizationSource.SERVICE_TOKEN, scopes=frozenset()
    )
    assert refuse_with(visit, "member.invite").detail == (
        "You can't invite members on a visit from a product. Sign in here with your own account, then try again."
    )
    as_member = dataclasses.replace(staff_context(Role.ADMIN), is_impersonated=True)
    assert refuse_with(as_member, "member.invite").detail == (
        "This member could invite members. You can't: staff who view as a member change nothing."
    )
    assert refuse_with(token, "credits.grant").detail == (
        "With this token you can't grant credits: the token lacks the scope credits:write."
    )


def test_a_visitor_may_what_the_member_may_but_what_lets_somebody_stay() -> None:
    refused = set()
    for role, (name, operation) in itertools.product(TENANT_LADDER, OPERATIONS.items()):
        member = staff_context(role)
        found = permits(dataclasses.replace(member, is_visit=True), name)
        assert found == (permits(member, name) and operation.allowed_in_visit), name
        refused |= {name} if permits(member, name) and not found else set()
    assert {"member.invite", "connector.credential"} <= refused


@pytest.mark.parametrize("source", [AuthorizationSource.SERVICE_TOKEN, AuthorizationSource.CRON_TOKEN])
def test_a_token_may_what_its_scopes_name_and_nothing_else(source: AuthorizationSource) -> None:
    for scopes in (frozenset[Scope](), *(frozenset({scope}) for scope in Scope), frozenset(Scope)):
        token = dataclasses.replace(staff_context(Role.OWNER), authorization_source=source, scopes=scopes)
        for name, operation in OPERATIONS.items():
            assert permits(token, name) == (operation.scope is not None and operation.scope in scopes), name


def test_programs_still_read_the_rule_and_what_is_missing() -> None:
    [reason] = refuse_with(staff_context(Role.VIEWER), "connector.edit").explanation
    assert (reason.rule, reason.outcome) == ("role", "deny")
    assert reason.fact == "the role is viewer, the operation needs admin or billing_operations"


def test_every_operation_that_a_person_can_be_refused_has_words() -> None:
    unnamed = [
        name
        for name, operation in OPERATIONS.items()
        if (operation.tenant_role or operation.platform_role) and not (operation.allows or name.startswith("jobs."))
    ]
    assert unnamed == []
