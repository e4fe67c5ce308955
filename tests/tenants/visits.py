"""A product that sends one of its people to the billing pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole
from apps.core.ids import ProductId
from apps.tenants.models import Organization, Product, User, Workspace
from apps.tenants.services import product_return_hosts_change
from tests.contexts import console_context
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_token,
    make_user,
    make_workspace,
)
from tests.subscriptions.cast import make_plan

RETURN = "https://app.example.com/settings?tab=billing"
PATH = reverse("portal-sessions")


@dataclass
class Stage:
    """A member of a related organization, and the product's token."""

    user: User
    organization: Organization
    workspace: Workspace
    product: Product
    token: str

    def ask(self, **more: object) -> Any:
        body = {"user_id": str(self.user.pk), "workspace_id": str(self.workspace.pk), **more}
        return Client().post(PATH, body, "application/json", headers={"authorization": f"Bearer {self.token}"})

    def link(self, **more: object) -> str:
        answer = self.ask(**more)
        assert answer.status_code == 201, answer.content
        return str(urlsplit(answer.json()["url"]).path)

    def visit(self) -> Client:
        client = Client()
        assert client.get(self.link(return_url=RETURN)).status_code == 302
        return client

    @property
    def home(self) -> str:
        return reverse("billing-workspace", args=[self.workspace.slug])

    @property
    def page(self) -> str:
        return reverse("billing-settings", args=[self.workspace.slug])


@pytest.fixture
def stage() -> Stage:
    make_plan()
    user, organization = make_user(), make_organization("Northwind")
    make_membership(organization, user, MembershipRole.OWNER)
    product = make_product("red", organization)
    hosts = ["app.example.com", "eu.example.com:8443"]
    product_return_hosts_change(console_context(), product_id=ProductId(product.pk), hosts=hosts, reason="test")
    return Stage(user, organization, make_workspace(organization), product, make_token(product))
