"""Who is let in at the internal API, and what the others are told."""

from __future__ import annotations

import uuid
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.enums import MembershipRole, Role, Scope
from apps.core.ids import ServiceTokenId
from apps.core.models import AuditEntry, JobRun
from apps.tenants import tokens
from apps.tenants.models import ServiceToken, User
from apps.tenants.services import service_token_revoke
from apps.tenants.tokens import hash_token, prefix_of
from tests.contexts import staff_context
from tests.factories.tenants import (
    make_cron_token,
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_staff,
    make_token,
)

USERS = "/api/v1/internal/users:upsert"
RUN = "/api/v1/internal/jobs/drain-outbox:run"

pytestmark = pytest.mark.django_db


def post(
    client: Client, path: str, body: object, token: str | None = None, **headers: str
) -> tuple[int, dict[str, object]]:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    answer = client.post(path, body, content_type="application/json", headers=headers)
    assert answer["Content-Type"] == ("application/problem+json" if answer.status_code >= 400 else "application/json")
    return answer.status_code, answer.json()


def person() -> dict[str, str]:
    return {"id": str(uuid.uuid4()), "email": f"{uuid.uuid4().hex[:8]}@example.com", "name": "Ann"}


def test_a_token_is_stored_as_a_hash_and_found_by_its_prefix() -> None:
    text = make_token(make_product())
    token = ServiceToken.objects.get()
    assert token.prefix == prefix_of(text)
    assert bytes(token.token_hash) == hash_token(text)
    assert text not in repr(ServiceToken.objects.values().get())
    assert text not in repr(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer chp_00000000_" + "x" * 43,
        "Bearer nonsense",
        "Token x",
    ],
)
def test_without_a_live_token_everybody_gets_401_and_nothing_is_made(client: Client, header: str | None) -> None:
    headers = {"authorization": header} if header is not None else {}
    status, problem = post(client, USERS, person(), **headers)
    assert (status, problem["code"]) == (401, "not_authenticated")
    assert not User.objects.exists()


def test_a_revoked_token_is_refused_within_five_seconds(client: Client) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        text = make_token(make_product())
        assert post(client, USERS, person(), text)[0] == 201
        token_id = ServiceTokenId(ServiceToken.objects.get().pk)
        service_token_revoke(staff_context(Role.PLATFORM_ADMIN), token_id=token_id, reason="leaked")
        traveller.shift(tokens.REMEMBERED_FOR)
        assert post(client, USERS, person(), text)[0] == 401


def test_an_expired_token_is_refused_at_once_though_it_was_remembered(client: Client) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        text = make_token(make_product())
        ServiceToken.objects.update(expires_at=clock.now() + timedelta(seconds=2))
        assert post(client, USERS, person(), text)[0] == 201
        traveller.shift(timedelta(seconds=2))
        assert post(client, USERS, person(), text)[0] == 401


def test_last_use_is_written_at_most_once_a_minute(client: Client) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        text = make_token(make_product())
        written = []
        for seconds in (0, 30, 31):
            traveller.shift(timedelta(seconds=seconds))
            post(client, USERS, person(), text)
            written.append(ServiceToken.objects.get().last_used_at)
    assert written[0] == written[1]
    assert written[2] != written[1]


@pytest.mark.django_db(transaction=True)
def test_no_call_waits_until_the_last_use_is_written() -> None:
    """Neither for another call that writes it at the moment, nor for a standby that has to have it."""
    text = make_token(make_product())
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT * FROM tenants_servicetoken FOR UPDATE")
        tokens.caller_of(text, address="192.0.2.1")
        assert ServiceToken.objects.get().last_used_at is None
        other.rollback()
    with CaptureQueriesContext(connection) as asked:
        tokens.caller_of(text, address="192.0.2.1")
    assert ServiceToken.objects.get().last_used_at is not None
    said = [query["sql"] for query in asked]
    begun, written = said.index("BEGIN"), next(n for n, sql in enumerate(said) if sql.startswith("UPDATE"))
    assert said[begun + 1] == "SET LOCAL synchronous_commit = off"
    assert said[begun + 2 : written + 2][-1] == "COMMIT"


def test_a_missing_scope_is_named(client: Client) -> None:
    text = make_token(make_product(), Scope.MEMBERS_READ)
    status, problem = post(client, USERS, person(), text)
    assert (status, problem["code"]) == (403, "not_allowed")
    assert "tenants:write" in str(problem["detail"])
    assert not User.objects.exists()


def test_the_scope_is_asked_before_the_body_is_read(client: Client) -> None:
    text = make_token(make_product(), Scope.MEMBERS_READ)
    assert post(client, USERS, {"nonsense": 1}, text)[0] == 403


def test_a_cron_token_starts_jobs_and_nothing_else(client: Client) -> None:
    cron = make_cron_token()
    status, answer = post(client, RUN, {}, cron)
    assert (status, answer["name"]) == (202, "drain-outbox")
    run = JobRun.objects.get(pk=str(answer["job_run_id"]))
    assert (run.trigger, run.authorization_source, run.role) == ("cron", "cron_token", "system")
    assert post(client, USERS, person(), cron)[0] == 403


def test_a_product_token_starts_no_job(client: Client) -> None:
    status, problem = post(client, RUN, {}, make_token(make_product()))
    assert (status, problem["code"]) == (403, "not_allowed")
    assert not JobRun.objects.exists()


def test_cron_and_session_on_one_request_leave_open_who_acts(client: Client) -> None:
    client.force_login(make_signing_in_user())
    status, problem = post(client, RUN, {}, make_cron_token())
    assert (status, problem["code"]) == (400, "ambiguous_principal")
    assert not JobRun.objects.exists()


def test_staff_without_the_second_factor_start_no_job(client: Client) -> None:
    client.force_login(make_staff(Role.PLATFORM_ADMIN))
    assert post(client, RUN, {})[0] == 403
    assert not JobRun.objects.exists()


def test_a_session_needs_the_csrf_token_to_start_a_job() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_staff(Role.PLATFORM_ADMIN))
    assert post(strict, RUN, {})[0] == 403
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("role", list(MembershipRole))
def test_a_job_whose_gate_has_no_tenant_role_is_closed_to_members(client: Client, role: MembershipRole) -> None:
    user, organization = make_signing_in_user(), make_organization(owner=make_signing_in_user())
    make_membership(organization, user, role)
    client.force_login(user)
    status, problem = post(client, RUN, {"organization_id": str(organization.pk)})
    assert (status, problem["code"]) == (403, "not_allowed")
    assert not JobRun.objects.exists()


def test_a_foreign_organization_looks_like_an_absent_one_to_a_person(client: Client) -> None:
    client.force_login(make_signing_in_user())
    foreign = post(client, RUN, {"organization_id": str(make_organization().pk)})
    absent = post(client, RUN, {"organization_id": str(uuid.uuid4())})
    foreign[1].pop("request_id")
    absent[1].pop("request_id")
    assert foreign == absent
    assert foreign[0] == 404


def test_an_unknown_job_is_answered_with_the_known_ones(client: Client) -> None:
    status, problem = post(client, "/api/v1/internal/jobs/make-coffee:run", {}, make_cron_token())
    assert status == 404
    assert "drain-outbox" in str(problem["detail"])
