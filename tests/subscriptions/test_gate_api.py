"""The gate over HTTP: lifecycle, payment config, and the end of a grace period (204, 404, 409)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.core import clock
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import StartGrace
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Organization
from tests.factories.tenants import make_organization, make_product, make_token, make_workspace
from tests.subscriptions.cast import provider_context

pytestmark = pytest.mark.django_db
API = "/api/v1/internal"


@pytest.fixture
def organization() -> Organization:
    return make_organization()


@pytest.fixture
def token(organization: Organization) -> str:
    """One that may end grace periods too, which is none of the default scopes."""
    return make_token(make_product("red", organization), *DEFAULT_PRODUCT_SCOPES, Scope.PAYMENTS_WRITE)


def call(client: Client, method: str, path: str, token: str) -> tuple[int, Any]:
    answer = client.generic(method, f"{API}/{path}", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.json() if answer.content else None


def start_grace(organization: Organization) -> None:
    payment_config_change(
        provider_context(), organization_id=OrganizationId(organization.pk), change=StartGrace(started_at=clock.now())
    )


def test_the_lifecycle_says_what_is_allowed_and_why(client: Client, organization: Organization, token: str) -> None:
    workspace = make_workspace(organization)
    status, answer = call(client, "GET", f"workspaces/{workspace.pk}/lifecycle", token)
    assert status == 200
    assert (answer["workspace_id"], answer["state"], answer["source"]) == (
        str(workspace.pk),
        "pre_subscription",
        "subscription_status",
    )
    assert answer["needs_review"] is False
    assert answer["reasons"][0]["record"] == f"payment_config:{organization.pk}"
    assert all(isinstance(allowed, bool) for allowed in answer["operations"].values())


def test_a_grace_period_shows_in_lifecycle_and_payment_config(
    client: Client, organization: Organization, token: str
) -> None:
    start_grace(organization)
    _, config = call(client, "GET", f"organizations/{organization.pk}/payment-config", token)
    assert config["payment_status"] == "grace_period"
    assert config["grace_period_end_at"].endswith("Z")
    assert set(config) == {
        "organization_id",
        "payment_status",
        "subscription_status",
        "grace_period_end_at",
        "usage_category_override",
        "payment_provider_id",
        "orb_customer_id",
    }


def test_a_grace_period_is_ended_once(client: Client, organization: Organization, token: str) -> None:
    start_grace(organization)
    path = f"organizations/{organization.pk}/payment-config/end-grace-period"
    entries = AuditEntry.objects.filter(organization_id=organization.pk)
    before = entries.count()

    assert call(client, "POST", path, token) == (204, None)
    config = OrganizationPaymentConfig.objects.get(organization=organization)
    assert (config.payment_status, config.grace_period_end_at) == ("disabled", None)
    assert entries.count() == before + 1

    status, problem = call(client, "POST", path, token)
    assert (status, problem["code"]) == (409, "state_conflict")
    assert "disabled" in problem["detail"]
    assert "grace_period" in problem["detail"]
    assert entries.count() == before + 1


def test_a_default_token_of_a_related_product_ends_no_grace_period(client: Client, organization: Organization) -> None:
    start_grace(organization)
    token = make_token(make_product("blue", organization))
    before = AuditEntry.objects.count()
    path = f"organizations/{organization.pk}/payment-config/end-grace-period"
    status, problem = call(client, "POST", path, token)
    assert (status, problem["explanation"][0]["rule"]) == (403, "token_scope")
    assert AuditEntry.objects.count() == before


def test_unknown_ids_answer_404(client: Client, token: str) -> None:
    for method, path in (
        ("GET", f"workspaces/{uuid.uuid4()}/lifecycle"),
        ("GET", f"organizations/{uuid.uuid4()}/payment-config"),
        ("POST", f"organizations/{uuid.uuid4()}/payment-config/end-grace-period"),
    ):
        assert call(client, method, path, token)[0] == 404


def test_ending_a_grace_period_takes_the_scope_payments_write(client: Client, organization: Organization) -> None:
    start_grace(organization)
    reader = make_token(make_product("blue", organization), Scope.SUBSCRIPTIONS_READ)
    status, problem = call(client, "POST", f"organizations/{organization.pk}/payment-config/end-grace-period", reader)
    assert (status, problem["code"]) == (403, "not_allowed")
    assert "payments:write" in problem["detail"]
    config = OrganizationPaymentConfig.objects.get(organization=organization)
    assert config.payment_status == "grace_period"


def test_the_lifecycle_costs_the_same_however_much_there_is(
    client: Client, organization: Organization, token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    workspace = make_workspace(organization)
    path = f"workspaces/{workspace.pk}/lifecycle"
    call(client, "GET", path, token)  # the process remembers the token from here on
    with django_assert_num_queries(2):
        call(client, "GET", path, token)
    for number in range(10):
        make_workspace(organization, f"Workspace {number}")
    with django_assert_num_queries(2):
        call(client, "GET", path, token)
