"""What a decision rests on is read for the account, workspace, product, operation and moment that are named alone."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from apps.core import clock
from apps.credits.enums import PolicyStatus
from apps.credits.models import CreditPolicy, FreeQuantity
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from tests.credits.cast import make_place
from tests.factories.tenants import make_organization, make_product, make_workspace
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_facts_of_a_workspace_are_its_own_and_those_of_its_organizations_config() -> None:
    places = [make_place(f"red-{number}") for number in range(2)]
    workspaces = [make_workspace(place.organization) for place in places for _ in range(2)]
    plan = make_plan()
    for workspace in workspaces[1:]:
        WorkspaceSubscription.objects.create(workspace=workspace, plan=plan, state="active", started_at=clock.now())
    configs = OrganizationPaymentConfig.objects.filter(organization=places[1].organization)
    configs.update(subscription_status="subscribed", subscription_scope="workspaces")
    told: dict[UUID | None, tuple[UUID | None, str | None]] = {
        row.workspace_id: (row.pk, row.state) for row in WorkspaceSubscription.objects.all()
    }
    sent = """
        SELECT workspace_organization_id, subscription_id, subscription_state, only_named_workspaces,
            subscription_status
        FROM credits_facts_3(now(), now(), %s, 'organization', %s, NULL, %s, 'unit')"""
    with connection.cursor() as cursor:
        for place, asked in itertools.product(places, [None, *workspaces]):
            of = asked.pk if asked else None
            cursor.execute(sent, [place.product.pk, place.organization.pk, of])
            config = OrganizationPaymentConfig.objects.get(organization=place.organization)
            assert cursor.fetchone() == (
                asked.organization_id if asked else None,
                *told.get(of, (None, None)),
                asked is not None and place is places[1],
                config.subscription_status,
            )


def test_the_policy_in_force_is_the_last_that_began_by_then_and_the_first_one_before_all() -> None:
    product, other = make_product("red", make_organization()), make_product("blue", make_organization())
    begins = [NOON, NOON + timedelta(days=10), NOON + timedelta(days=10), NOON + timedelta(days=20)]
    for of, shift in ((product, 0), (other, 5)):
        for version, begun in enumerate(begins, 1):
            is_draft = version == len(begins)
            CreditPolicy.objects.create(
                product=of,
                version=version,
                status=PolicyStatus.DRAFT if is_draft else PolicyStatus.PUBLISHED,
                effective_from=begun + timedelta(days=shift),
                published_at=None if is_draft else NOON,
                created_at=NOON,
            )
    drafting = make_product("green", make_organization())
    CreditPolicy.objects.create(
        product=drafting, version=1, status=PolicyStatus.DRAFT, effective_from=NOON, created_at=NOON
    )
    published = list(enumerate(begins[:-1], 1))
    moments = [begun + timedelta(seconds=step) for begun in begins for step in (-1, 0, 1)]
    sent = "SELECT policy_version FROM credits_facts_3(%s, %s, %s, 'organization', %s, NULL, NULL, 'unit')"
    with connection.cursor() as cursor:
        for at, now in itertools.product(moments, moments):
            begun_by_then = [version for version, begun in published if begun <= at]
            begun_by_now = [version for version, begun in published if begun <= now]
            cursor.execute(sent, [now, at, product.pk, uuid.uuid4()])
            assert cursor.fetchone()[0] == next(iter([*begun_by_then[::-1][:1], *begun_by_now]), None), (at, now)
            cursor.execute(sent, [now, at, drafting.pk, uuid.uuid4()])
            assert cursor.fetchone() == (None,)


def test_what_is_used_of_a_free_quantity_is_that_of_account_product_operation_and_month() -> None:
    places = [make_place(f"red-{number}") for number in range(2)]
    months, operations = (date(2026, 3, 1), date(2026, 4, 1)), ("unit", "scan")
    rows = list(itertools.product(places, places, operations, months))
    for used, (account, product, operation, month) in enumerate(rows, 1):
        FreeQuantity.objects.create(
            account_id=account.organization.pk,
            product_id=product.product.pk,
            operation=operation,
            month=month,
            used=used,
        )
    sent = """
        SELECT free_used, free_month FROM credits_facts_3(%s, %s, %s, 'organization', %s, NULL, NULL, %s)"""
    with connection.cursor() as cursor:
        for used, (account, product, operation, month) in enumerate(rows, 1):
            at = datetime(month.year, month.month, 15, tzinfo=UTC)
            cursor.execute(sent, [at, at, product.product.pk, account.organization.pk, operation])
            assert cursor.fetchone() == (used, month)
        cursor.execute(sent, [at, at, places[0].product.pk, places[0].organization.pk, "never used"])
        assert cursor.fetchone() == (0, month)
