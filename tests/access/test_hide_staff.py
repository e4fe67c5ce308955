"""Tenants and products learn nothing of our staff and of other tenants: canaries, and a walk of every page."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.connectors.enums import ConnectorEventKind, SyncStatus, SyncTrigger
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorEvent, SyncRun
from apps.connectors.services import connector_disable, connector_enable
from apps.connectors.sync.guards import check_run
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import Actor, ExecutionContext
from apps.core.enums import ActorKind, AuthorizationSource, LifecycleState, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.jobs import job_run_request
from apps.core.models import JobRun
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, EntryKind, GrantType
from apps.credits.services import credit_adjust, credit_grant
from apps.credits.services.accounts import post
from apps.credits.services.grants import GrantParams
from apps.subscriptions.services import note_add, overlay_set
from apps.tenants.models import Organization, User, Workspace
from tests.access.pages import more_in_address, page_routes
from tests.access.routes import api_routes
from tests.access.world import MEMBERS, World, make_world, request_of
from tests.contexts import staff_context
from tests.factories.tenants import make_staff

pytestmark = pytest.mark.django_db
STAFF_CANARY = "canary.of.staff@countinghouse.example"
# The count that a run for every organization brought, and the name of a tenant whom nobody else may see.
PLATFORM_CANARY, TENANT_CANARY = 918_273_645, "Canary of another tenant"


@pytest.fixture(scope="module")
def stage(lasting_db: None) -> World:
    world = make_world()
    for relation in ("own", "demo", "foreign"):
        _leave_traces(world, relation)
    Organization.objects.filter(pk=world.tenants["foreign"].organization_id).update(name=TENANT_CANARY)
    run = job_run_request(_canary(), name="billing-sync")
    JobRun.objects.filter(pk=run.pk).update(
        status="succeeded", counts={"runs": PLATFORM_CANARY}, finished_at=clock.now(), lease_expires_at=None
    )
    return world


def _canary(organization_id: uuid.UUID | None = None) -> ExecutionContext:
    """A staff member whose address gives itself away."""
    user = User.objects.filter(email=STAFF_CANARY).first() or make_staff(Role.PLATFORM_ADMIN, STAFF_CANARY)
    context = staff_context(Role.PLATFORM_ADMIN, OrganizationId(organization_id) if organization_id else None)
    return dataclasses.replace(context, actor=Actor(ActorKind.USER, str(user.pk), user.email))


def _leave_traces(world: World, relation: str) -> None:
    """Everything that staff do about a tenant, by somebody whose address gives itself away."""
    tenant = world.tenants[relation]
    context = _canary(tenant.organization_id)
    job_run_request(
        context, name="billing-sync", organization_id=OrganizationId(tenant.organization_id), include_demo=True
    )
    connector = Connector.objects.get(pk=tenant.connector_id)
    connector_disable(context, connector_id=ConnectorId(connector.pk), reason="looked at it")
    connector_enable(context, connector_id=ConnectorId(connector.pk), reason="done")
    ConnectorEvent.objects.create(
        connector=connector, kind=ConnectorEventKind.SYNC_QUEUED, sentence="Sync asked for.",
        actor_label=context.actor.label, occurred_at=clock.now(),
    )  # fmt: skip
    _leave_sync(context, connector)
    workspace_id = WorkspaceId(tenant.workspace_id)
    overlay_set(context, workspace_id=workspace_id, state=LifecycleState.TRIAL, reason="a trial was promised")
    note_add(context, workspace_id=workspace_id, text="Called them.")
    account = AccountRef(AccountType.ORGANIZATION, tenant.organization_id)
    wish = GrantParams(
        grant_type=GrantType.BONUS, amount=MICRO, note="sorry", expires_at=clock.now() + timedelta(days=9)
    )
    credit_grant(context, key=uuid.uuid4().hex, account=account, params=wish)
    credit_adjust(context, account_id=account.id, key=uuid.uuid4().hex, amount=1, reason="too much")
    # Staff who try something out in a product are no members, and no names of the tenant's.
    post(
        context, account_id=account.id, kind=EntryKind.CONSUMPTION, amount=-1, at=clock.now(), category="regular",
        is_billable=True, quantity=1, acting_user_id=User.objects.get(email=STAFF_CANARY).pk,
    )  # fmt: skip


def _leave_sync(context: ExecutionContext, connector: Connector) -> None:
    """A sync that staff asked for, and that was refused since they may no longer."""
    run = SyncRun(
        connector=connector, month="2026-01", trigger=SyncTrigger.USER, reason="asked for", status=SyncStatus.FAILED,
        actor_label=context.actor.label, actor_id=str(uuid.uuid4()), role=Role.BILLING_OPERATIONS,
        authorization_source=AuthorizationSource.SESSION, request_id="r", created_at=clock.now(),
        finished_at=clock.now(), error_code="not_allowed",
    )  # fmt: skip
    refusal = check_run(run)
    assert refusal is not None
    run.error = refusal.detail
    run.save(force_insert=True)


def answers(world: World, principals: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Every GET of a page or of the API that the callers can make, about each tenant."""
    slugs = dict(Workspace.objects.values_list("pk", "slug"))
    for principal in principals:
        client, headers = world.client(principal)
        yield f"{principal} home", _content(client, reverse("billing-home"), headers)
        for relation in ("own", "demo", "foreign"):
            tenant = world.tenants[relation]
            for route in (*page_routes(), *api_routes()):
                if "GET" not in route.operations:
                    continue
                if route.name.startswith("billing-"):
                    more = more_in_address(route.pattern, tenant)
                    path = reverse(route.name, args=[slugs[tenant.workspace_id], *more])
                else:
                    path = reverse(route.name, kwargs=request_of(route.name, tenant, world)[0])
                yield f"{principal} {relation} {route.name}", _content(client, path, headers)


def _content(client: Client, path: str, headers: dict[str, str]) -> bytes:
    answer: Any = client.get(path, headers=headers)
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def leaks(world: World, *principals: str) -> list[str]:
    grouped = f"{PLATFORM_CANARY:,}"
    canaries = [text.encode() for text in (STAFF_CANARY, str(PLATFORM_CANARY), grouped, TENANT_CANARY)]
    return [
        f"{name}: {canary.decode()}"
        for name, content in answers(world, principals)
        for canary in canaries
        if canary in content
    ]


def test_no_page_and_no_answer_names_our_staff_or_another_tenant(world: World) -> None:
    assert leaks(world, *MEMBERS, "signed-in stranger", "product token") == []


def test_the_automation_page_names_support_and_shows_their_own_runs_alone(world: World) -> None:
    tenant = world.tenants["own"]
    client, headers = world.client("tenant viewer")
    path = reverse("billing-automation", args=[Workspace.objects.get(pk=tenant.workspace_id).slug])
    page = _content(client, path, headers).decode()
    assert "Started by support" in page
    assert page.count("Started by") == JobRun.objects.filter(
        organization_id=tenant.organization_id, name="billing-sync"
    ).count()  # fmt: skip


def test_a_member_is_named_and_a_former_member_is_not(world: World) -> None:
    tenant = world.tenants["own"]
    owner = world.users["tenant owner"]
    connector = Connector.objects.get(pk=tenant.connector_id)
    for label in (owner.email, "gone@example.com"):
        ConnectorEvent.objects.create(
            connector=connector, kind=ConnectorEventKind.ENABLED, sentence="Enabled.", actor_label=label,
            occurred_at=clock.now(),
        )  # fmt: skip
    client, headers = world.client("tenant viewer")
    path = reverse("billing-connector", args=[Workspace.objects.get(pk=tenant.workspace_id).slug, connector.pk])
    page = _content(client, path, headers).decode()
    assert (owner.email in page, "gone@example.com" in page, "a former member" in page) == (True, False, True)


def test_an_address_that_is_shown_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.connectors.views.automation.describe_actor", lambda label, people: label)
    assert f"tenant viewer own billing-automation: {STAFF_CANARY}" in leaks(world, "tenant viewer")
