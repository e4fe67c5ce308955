"""The stage of the workspace page: a plan, a workspace that has it, and somebody of billing operations."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.core.enums import Role
from apps.subscriptions.contracts import WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from tests.backoffice.people import client_of
from tests.subscriptions.cast import lead_to, make_place, make_plan


@pytest.fixture
def plan() -> Plan:
    return make_plan()


@pytest.fixture
def place(plan: Plan) -> WorkspacePlace:
    made = make_place()
    lead_to(made, SubscriptionState.ACTIVE, PlanId(plan.pk))
    return made


@pytest.fixture
def client() -> Client:
    return client_of(Role.BILLING_OPERATIONS)
