"""A paying organization with a person of each role at a browser, to walk through its billing pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import LifecycleState, MembershipRole
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.contracts import (
    Activate,
    Lock,
    PaymentConfigChange,
    Period,
    StartGrace,
    Suspend,
    WorkspacePlace,
)
from apps.subscriptions.ids import PlanId
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Organization, User
from tests.factories.tenants import make_membership, make_organization, make_signing_in_user, make_workspace
from tests.markup import Page
from tests.subscriptions.cast import make_plan, provider_context, staff_change


class Room:
    """An active workspace; `as_` asks for its pages, and the changes below bring it where it hurts."""

    def __init__(
        self,
        name: str = "Northwind",
        *,
        time_zone: str = "Europe/Berlin",
        organization: Organization | None = None,
        people: dict[str, User] | None = None,
    ) -> None:
        """A new organization with people of its own, unless one, or people of another one, are given."""
        self.organization: Organization = organization or make_organization(name, time_zone=time_zone)
        domain = f"{name.lower()}.example"
        self.people = people or {role: make_signing_in_user(f"{role}@{domain}") for role in MembershipRole.values}
        for role in MembershipRole:
            make_membership(self.organization, self.people[role.value], role)
        self.workspace = make_workspace(self.organization)
        self.place = WorkspacePlace(WorkspaceId(self.workspace.pk), OrganizationId(self.organization.pk))
        plan = PlanId(make_plan().pk)
        now = clock.now()
        staff_change(self.place, Activate(plan, Period(now - timedelta(days=3), now + timedelta(days=27))))

    def address(self, page: str, *more: object) -> str:
        return reverse(f"billing-{page}", args=[self.workspace.slug, *more])

    def client(self, role: str) -> Client:
        client = Client()
        client.force_login(self.people[role], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def see(self, page: str, role: str = "owner", /, *, status: int = 200, **query: str) -> Page:
        """The page as that person reads it; nothing in it may be refused by the Content-Security-Policy."""
        answer = cast("HttpResponse", self.client(role).get(self.address(page), query))
        assert answer.status_code == status, answer.content.decode()[-2000:]
        found = Page(answer.content.decode())
        assert found.inline == []
        return found

    def send(self, page: str, role: str = "owner", /, *more: object, **fields: Any) -> tuple[int, str]:
        """The status of a form that is sent, and what the page says to which that leads."""
        client = self.client(role)
        answer = client.post(self.address(page, *more), fields)
        status = answer.status_code
        if status == 302:
            answer = client.get(answer.headers["Location"])
        return status, Page(answer.content.decode()).text

    def begin_grace(self) -> None:
        self._pay(StartGrace(clock.now() + timedelta(days=10)))

    def lock(self) -> None:
        self._pay(Lock())

    def suspend(self) -> None:
        staff_change(self.place, Suspend())

    def close(self) -> None:
        Organization.objects.filter(pk=self.organization.pk).update(closed_at=clock.now())

    def bring_to(self, state: LifecycleState) -> None:
        """The state, by its shortest way from an active one."""
        ways = {
            LifecycleState.GRACE: self.begin_grace,
            LifecycleState.SUSPENDED_READ_ONLY: self.suspend,
            LifecycleState.CLOSED: self.close,
        }
        ways[state]()

    def _pay(self, change: PaymentConfigChange) -> None:
        payment_config_change(provider_context(), organization_id=OrganizationId(self.organization.pk), change=change)
