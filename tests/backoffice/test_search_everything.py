"""The command palette finds by id, name, e-mail address and slug, only what the role may read, and anew each time."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.tenants.models import ServiceToken
from tests.backoffice.people import client_of, sign_in
from tests.factories.tenants import make_organization, make_product, make_staff, make_token, make_user, make_workspace

pytestmark = pytest.mark.django_db


def found(client: Client, term: str) -> str:
    answer = client.get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_finds_by_id_name_address_and_slug() -> None:
    organization, user = make_organization(name="Zephyr Mills"), make_user(name="Zoe Zimmer")
    workspace = make_workspace(organization, "Looms")
    client = client_of(Role.SUPPORT)
    for term, record in (
        ("zephyr", organization),
        (organization.slug, organization),
        (str(organization.pk), organization),
        ("zoe", user),
        (user.email, user),
        (str(user.pk).upper(), user),
        ("looms", workspace),
    ):
        assert str(record.pk) in found(client, term), term


def test_finds_pages_of_the_plane() -> None:
    assert reverse("admin:core_auditentry_changelist") in found(client_of(Role.SUPPORT), "audit")


def test_finds_only_what_the_role_may_read() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    assert str(token.pk) in found(client_of(Role.PLATFORM_ADMIN), token.prefix)
    assert str(token.pk) not in found(client_of(Role.SUPPORT), token.prefix)


def test_keeps_nothing_past_a_change_of_role() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    staff, client = make_staff(Role.PLATFORM_ADMIN), Client()
    sign_in(client, staff)
    assert str(token.pk) in found(client, token.prefix)
    staff.groups.clear()
    assert client.get(reverse("admin:search"), {"s": token.prefix}).status_code == 302


def test_one_character_and_nothing_ask_for_no_records() -> None:
    organization = make_organization(name="Q")
    client = client_of(Role.SUPPORT)
    assert str(organization.pk) not in found(client, "q")
    assert found(client, "  ") == ""
