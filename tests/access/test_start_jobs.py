"""Who may start a job of a tenant, role by role, and what is recorded of it (spec 02, Cron or authenticated)."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.connectors.enums import SyncTrigger
from apps.connectors.models import SyncRun
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, MembershipRole, Role, Scope
from apps.core.ids import JobRunId
from apps.core.jobs.runs import job_run_execute
from apps.core.models import AuditEntry, JobRun
from apps.core.states import JobRunStatus
from apps.tenants.models import Organization, User, Workspace
from tests.access.connectors import make_connectors
from tests.backoffice.people import sign_in
from tests.factories.tenants import (
    make_cron_token,
    make_membership,
    make_organization,
    make_signing_in_user,
    make_staff,
    make_workspace,
)

pytestmark = pytest.mark.django_db
JOB = "billing-sync"
PLATFORM: tuple[Role | None, ...] = (None, Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN)
MEMBERSHIPS: tuple[MembershipRole | None, ...] = (None, *MembershipRole)
REACHES = {"owner", "admin", "billing_operations", "platform_admin"}
CELLS = list(itertools.product(PLATFORM, MEMBERSHIPS, (False, True)))


def signed_in(user: User, *, csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=csrf)
    if user.is_staff:
        sign_in(client, user)
    else:
        client.force_login(user)
    return client


def start(client: Client, organization: Organization, token: str = "", **body: Any) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    path = reverse("job-run", args=[JOB])
    return client.post(
        path, {"organization_id": str(organization.pk), **body}, content_type="application/json", headers=headers
    )


def expected_role(platform: Role | None, membership: MembershipRole | None, *, is_demo: bool) -> str | None:
    """Spec 02 once more: explicit membership, demo rule, platform role."""
    if membership is not None:
        return membership.value
    if is_demo:
        return "admin" if platform else "viewer"
    return platform.value if platform else None


@pytest.mark.parametrize(("platform", "membership", "is_demo"), CELLS)
def test_one_order_decides_who_starts_the_sync_of_an_organization(
    platform: Role | None, membership: MembershipRole | None, is_demo: bool
) -> None:
    organization = make_organization(is_demo=is_demo)
    user = make_staff(platform) if platform else make_signing_in_user()
    if membership:
        make_membership(organization, user, membership)
    before = AuditEntry.objects.count()
    answer = start(signed_in(user), organization, include_demo=True)
    role = expected_role(platform, membership, is_demo=is_demo)
    if role in REACHES:
        assert answer.status_code == 202
        run = JobRun.objects.get()
        assert (run.role, run.status, run.actor_label) == (role, JobRunStatus.QUEUED, user.email)
        return
    assert answer.status_code == (404 if role is None else 403)
    assert bool(answer.json().get("explanation")) == (role is not None)
    assert (JobRun.objects.count(), AuditEntry.objects.count()) == (0, before)


@pytest.mark.parametrize("include_demo", [False, True])
@pytest.mark.parametrize("is_demo", [False, True])
def test_a_job_for_a_demo_organization_says_that_it_skips_it(is_demo: bool, include_demo: bool) -> None:
    organization = make_organization(is_demo=is_demo)
    answer = start(Client(), organization, make_cron_token(), include_demo=include_demo)
    said = answer.json()
    is_skipped = is_demo and not include_demo
    assert (answer.status_code, said["status"]) == (202, "skipped" if is_skipped else "queued")
    assert ("include_demo" in said["error"]) == is_skipped
    run = job_run_execute(JobRunId(uuid.UUID(said["job_run_id"])))
    assert (run is None) == is_skipped
    stored = JobRun.objects.get()
    assert (stored.status, stored.error) == (("skipped", said["error"]) if is_skipped else ("succeeded", ""))


def test_the_command_says_that_it_skips_a_demo_organization(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("run_job", JOB, "--organization", str(make_organization(is_demo=True).pk))
    assert "billing-sync was not run. Skipped: the organization is a demo" in capsys.readouterr().out


def test_a_cron_token_with_a_session_is_ambiguous_even_without_a_csrf_token() -> None:
    organization = make_organization()
    owner = make_signing_in_user()
    make_membership(organization, owner, MembershipRole.OWNER)
    for client in (signed_in(owner, csrf=True), signed_in(owner), signed_in(make_staff(Role.PLATFORM_ADMIN))):
        answer = start(client, organization, make_cron_token())
        assert (answer.status_code, answer.json()["code"]) == (400, "ambiguous_principal")
    assert JobRun.objects.count() == 0


def test_a_session_without_a_csrf_token_is_told_so() -> None:
    organization = make_organization()
    owner = make_signing_in_user()
    make_membership(organization, owner, MembershipRole.OWNER)
    answer = start(signed_in(owner, csrf=True), organization)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "csrf_failed")
    assert problem["explanation"][0]["rule"] == "csrf"
    assert JobRun.objects.count() == 0


@pytest.mark.parametrize("caller", ["cron token", "person"])
def test_syncs_tell_who_started_the_job_that_queued_them(caller: str) -> None:
    organization = make_organization()
    workspace: Workspace = make_workspace(organization)
    connector_id, _ = make_connectors(workspace)
    SyncRun.objects.all().delete()
    owner = make_signing_in_user()
    make_membership(organization, owner, MembershipRole.OWNER)
    is_cron = caller == "cron token"
    answer = start(Client() if is_cron else signed_in(owner), organization, make_cron_token() if is_cron else "")
    run = job_run_execute(JobRunId(uuid.UUID(answer.json()["job_run_id"])))
    assert run is not None
    assert run.status == JobRunStatus.SUCCEEDED, run.error
    queued = SyncRun.objects.filter(connector=connector_id)
    assert {sync.trigger for sync in queued} == {SyncTrigger.CRON if is_cron else SyncTrigger.USER}
    # Carried out by the machinery all the same: no person's role, and no token, is inherited.
    assert {(sync.role, sync.authorization_source, sync.token_id) for sync in queued} == {("system", "scheduler", None)}


def test_a_new_product_token_may_not_end_grace_periods() -> None:
    assert set(Scope) - set(DEFAULT_PRODUCT_SCOPES) == {Scope.TENANTS_MANAGE, Scope.JOBS_RUN, Scope.PAYMENTS_WRITE}
