"""The cast and the stage of the access table: every kind of caller, and a tenant in every relation to them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.test import Client

from apps.core.enums import DEFAULT_PRODUCT_SCOPES, MembershipRole, Role, Scope
from apps.core.ids import OrganizationId, ServiceTokenId
from apps.core.jobs import job_run_request
from apps.tenants.models import Organization, ServiceToken, User
from apps.tenants.services import service_token_revoke
from tests.access.connectors import connector_requests, make_connectors
from tests.access.ledgers import Ledger, credit_requests, make_ledger, publish_prices
from tests.backoffice.people import sign_in
from tests.contexts import console_context
from tests.factories.tenants import (
    make_cron_token,
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_staff,
    make_token,
    make_user,
    make_workspace,
)

MEMBERS = tuple(f"tenant {role.value}" for role in MembershipRole)
STAFF = tuple(f"staff {role.value}" for role in (Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN))
TOKENS = ("product token", "product token without scopes", "identity token", "cron token", "revoked token")
PRINCIPALS = ("anonymous", "signed-in stranger", "staff without second factor", *MEMBERS, *STAFF, *TOKENS)
RELATIONS = ("own", "foreign", "demo", "absent")


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a request can name of one organization."""

    organization_id: uuid.UUID
    workspace_id: uuid.UUID
    member_id: uuid.UUID
    job_run_id: uuid.UUID
    ledger: Ledger
    connector_id: uuid.UUID
    disabled_connector_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class World:
    """Callers by name, tenants by their relation to the callers."""

    users: dict[str, User]
    sessions: dict[str, str]
    tokens: dict[str, str]
    tenants: dict[str, Tenant]
    new_user_id: uuid.UUID

    def client(self, principal: str) -> tuple[Client, dict[str, str]]:
        """A client that acts as the principal, and the headers that it sends."""
        client = Client(raise_request_exception=False)
        if principal in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[principal]
        token = self.tokens.get(principal)
        return client, {"authorization": f"Bearer {token}"} if token else {}


def _sign_in_all(users: dict[str, User]) -> dict[str, str]:
    """Everybody signs in once; the keys of their sessions."""
    keys = {}
    for principal, user in users.items():
        client = Client()
        if principal in STAFF:
            sign_in(client, user)
        else:
            client.force_login(user)
        keys[principal] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return keys


def make_world() -> World:
    """Everybody, with an organization of their own, a foreign one, a demo one, and ids of nothing."""
    own, foreign, demo = make_organization("Own"), make_organization("Foreign"), make_organization("Demo", is_demo=True)
    users = {
        "signed-in stranger": make_signing_in_user(),
        "staff without second factor": make_staff(Role.PLATFORM_ADMIN),
    }
    for name, role in zip(MEMBERS, MembershipRole, strict=True):
        users[name] = make_signing_in_user()
        make_membership(own, users[name], role)
    for name in STAFF:
        users[name] = make_staff(Role(name.removeprefix("staff ")))
    tokens = _tokens(own, demo)
    publish_prices()
    return World(
        users=users,
        sessions=_sign_in_all(users),
        tokens=tokens,
        tenants={
            "own": _tenant(own),
            "foreign": _tenant(foreign),
            "demo": _tenant(demo),
            "absent": _absent_tenant(),
        },
        new_user_id=make_user().pk,
    )


def _absent_tenant() -> Tenant:
    first, last = (uuid.uuid4() for _ in range(4)), (uuid.uuid4() for _ in range(2))
    organization, workspace, member, run = first
    connector, disabled = last
    ledger = Ledger(*(uuid.uuid4() for _ in range(4)))
    return Tenant(organization, workspace, member, run, ledger, connector, disabled)


def _tokens(*related: Organization) -> dict[str, str]:
    red = make_product("red", *related)
    tokens = {
        "product token": make_token(red),
        "product token without scopes": make_token(red, Scope.USAGE_READ),
        "identity token": make_token(make_product("identity"), *DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE),
        "cron token": make_cron_token(),
        "revoked token": make_token(red),
    }
    revoked = ServiceToken.objects.get(prefix=tokens["revoked token"][:12])
    service_token_revoke(console_context(), token_id=ServiceTokenId(revoked.pk), reason="for the table")
    return tokens


def _tenant(organization: Organization) -> Tenant:
    member = make_user()
    make_membership(organization, member)
    context = console_context(OrganizationId(organization.pk))
    run = job_run_request(context, name="drain-outbox", organization_id=OrganizationId(organization.pk))
    ledger, workspace = make_ledger(organization), make_workspace(organization)
    return Tenant(organization.pk, workspace.pk, member.pk, run.pk, ledger, *make_connectors(workspace))


def request_of(route: str, tenant: Tenant, world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The URL's arguments and a well-formed body that names the tenant."""
    organization = str(tenant.organization_id)
    in_url = {"organization_id": tenant.organization_id}
    requests: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "users-upsert": ({}, {"id": str(uuid.uuid4()), "email": f"{uuid.uuid4().hex}@example.com", "name": "New"}),
        "organizations-upsert": ({}, {"id": organization, "name": "Renamed", "kind": "team"}),
        "workspaces-upsert": (
            {},
            {"id": str(tenant.workspace_id), "organization_id": organization, "name": "Renamed"},
        ),
        "members-upsert": (in_url, {"user_id": str(world.new_user_id), "role": "member"}),
        "members": (in_url, {}),
        "member": ({**in_url, "user_id": tenant.member_id}, {}),
        "organization-products-upsert": (in_url, {"product": "red"}),
        "portal-sessions": (
            {},
            {"user_id": str(tenant.member_id), "workspace_id": str(tenant.workspace_id)},
        ),
        "mode-of-billing": ({}, {}),
        "membership-snapshots": ({}, _snapshot(tenant)),
        "membership-snapshot": ({"snapshot_id": uuid.uuid4()}, {}),
        "job-run": ({"name": "drain-outbox"}, {"organization_id": organization}),
        "job-run-detail": ({"job_run_id": tenant.job_run_id}, {}),
        "workspace-lifecycle": ({"workspace_id": tenant.workspace_id}, {}),
        "usage-query": ({"workspace_id": tenant.workspace_id}, {}),
        "payment-config": (in_url, {}),
        "end-grace-period": (in_url, {}),
        **connector_requests(tenant.workspace_id, tenant.connector_id, tenant.disabled_connector_id),
        **credit_requests(tenant.organization_id, tenant.ledger),
    }
    return requests[route]


def _snapshot(tenant: Tenant) -> dict[str, Any]:
    member = {"organization_id": str(tenant.organization_id), "user_id": str(tenant.member_id), "role": "member"}
    return {"snapshot_id": str(uuid.uuid4()), "sequence": 1, "last": True, "members": [member]}
