"""The invitation that a first membership brings: where it is switched on, for a live report, for a real person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, UserId
from apps.tenants.models import Membership, Organization, User
from apps.tenants.services import member_remove, member_upsert
from tests.contexts import console_context
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_staff,
    make_token,
    make_user,
)
from tests.tenants.mailbox import delivered, path_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _invited(settings: Settings) -> None:
    settings.INVITATION_MAILS = True


def report(organization: Organization, user: User, role: str = "member") -> int:
    token = make_token(make_product("red", organization))
    return (
        Client()
        .post(
            reverse("members-upsert", args=[organization.pk]),
            {"user_id": str(user.pk), "role": role},
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        .status_code
    )


def test_a_first_membership_invites_and_the_link_leads_in() -> None:
    organization, user = make_organization("Northwind", time_zone="Europe/Berlin"), make_user("ann@example.com", "Ann")
    assert report(organization, user) == 201
    (message,) = delivered()
    assert (message.to, message.subject) == (["ann@example.com"], "Your access to the billing pages of Northwind")
    assert "(Europe/Berlin)" in str(message.body)
    client = Client()
    answer = client.post(
        path_in(message), {"new_password1": "a-river-and-a-lake", "new_password2": "a-river-and-a-lake"}
    )
    assert answer.status_code == 302
    assert client.get(reverse("account")).status_code == 200


def test_told_again_or_with_another_role_it_invites_nobody_again() -> None:
    organization, user = make_organization(), make_user()
    report(organization, user)
    delivered()
    assert [report(organization, user), report(organization, user, "admin")] == [200, 200]
    assert delivered() == []


def _off(settings: Settings, organization: Organization, user: User) -> None:
    settings.INVITATION_MAILS = False


def _no_passwords(settings: Settings, organization: Organization, user: User) -> None:
    settings.PASSWORD_SIGN_IN = False


def _elsewhere(settings: Settings, organization: Organization, user: User) -> None:
    make_membership(make_organization("Other"), user)


def _was_there(settings: Settings, organization: Organization, user: User) -> None:
    make_membership(organization, user)
    member_remove(console_context(), organization_id=OrganizationId(organization.pk), user_id=UserId(user.pk))


def _synthetic(settings: Settings, organization: Organization, user: User) -> None:
    Organization.objects.filter(pk=organization.pk).update(is_synthetic=True)


def _closed(settings: Settings, organization: Organization, user: User) -> None:
    Organization.objects.filter(pk=organization.pk).update(closed_at=clock.now())


def _signed_in_before(settings: Settings, organization: Organization, user: User) -> None:
    User.objects.filter(pk=user.pk).update(last_login=clock.now() - timedelta(days=1))


def _deactivated(settings: Settings, organization: Organization, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize(
    "prepare",
    [_off, _no_passwords, _elsewhere, _was_there, _synthetic, _closed, _signed_in_before, _deactivated],
    ids=lambda prepare: prepare.__name__,
)
def test_who_is_not_invited(settings: Settings, prepare: Callable[[Settings, Organization, User], None]) -> None:
    organization, user = make_organization(), make_user()
    prepare(settings, organization, user)
    assert report(organization, user) == 201
    assert Membership.objects.filter(organization=organization, user=user).exists()
    assert delivered() == []


@pytest.mark.parametrize("make", [make_staff, make_signing_in_user], ids=["staff", "has a password"])
def test_people_with_a_way_in_are_not_invited(make: Callable[[], User]) -> None:
    assert report(make_organization(), make()) == 201
    assert delivered() == []


def test_a_demo_invites_nobody() -> None:
    assert report(make_organization(is_demo=True), make_user()) == 201
    assert delivered() == []


def test_what_is_not_a_live_report_invites_nobody() -> None:
    """The service that reconciliation and imports call, and the console."""
    organization, user = make_organization(), make_user()
    member_upsert(
        console_context(),
        organization_id=OrganizationId(organization.pk),
        user_id=UserId(user.pk),
        role=MembershipRole.MEMBER,
    )
    make_organization(owner=make_user())
    assert delivered() == []
