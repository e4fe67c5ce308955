"""One mailbox is one user: at every door, in the database, and for the rows from before (spec 02)."""

from __future__ import annotations

import uuid
from typing import Any

import pgtrigger
import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import UserId
from apps.core.models import AuditEntry
from apps.tenants.models import User
from apps.tenants.services import staff_create, user_upsert
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.factories.tenants import PASSWORD, make_product, make_signing_in_user, make_token, make_user

pytestmark = pytest.mark.django_db

KEPT = "ann@xn--mnchen-3ya.de"
SPELLINGS = (
    "ann@münchen.de",
    "ANN@MÜNCHEN.DE",
    "Ann@xn--MNCHEN-3ya.de",
    "\uff41\uff4e\uff4e@münchen\u3002de",
    '"ann"@mu\u0308nchen.de',
)
OLD_FORM_ALLOWED = "tenants.User:user_email_has_one_form"


def stored() -> list[Any]:
    return [*User.objects.order_by("pk").values_list("pk", "email", "name"), AuditEntry.objects.count()]


def old_user(email: str) -> User:
    """A row as it could be stored before addresses had one form."""
    with pgtrigger.ignore(OLD_FORM_ALLOWED):
        return User.objects.create(email=email, password="!")


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_second_user_with_the_mailbox_is_refused_however_it_is_spelled(spelled: str) -> None:
    make_user("ann@münchen.de")
    before = stored()
    with pytest.raises(ConflictError, match=KEPT):
        user_upsert(console_context(), user_id=UserId(uuid.uuid4()), email=spelled, name="Ann")
    assert stored() == before


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_the_api_answers_with_the_one_spelling(client: Client, spelled: str) -> None:
    body = {"id": str(uuid.uuid4()), "email": spelled, "name": "Ann"}
    headers = {"authorization": f"Bearer {make_token(make_product())}"}
    answers = [client.post("/api/v1/internal/users:upsert", body, "application/json", headers=headers) for _ in "12"]
    assert [(answer.status_code, answer.json()["email"]) for answer in answers] == [(201, KEPT), (200, KEPT)]


def test_the_api_refuses_letters_that_only_look_alike(client: Client) -> None:
    headers = {"authorization": f"Bearer {make_token(make_product())}"}
    before = stored()
    body = {"id": str(uuid.uuid4()), "email": "m\u0131ke@example.com", "name": "Mike"}
    answer = client.post("/api/v1/internal/users:upsert", body, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "email")
    assert "U+0131" in answer.json()["errors"][0]["message"]
    assert stored() == before


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_each_spelling_signs_in(client: Client, spelled: str) -> None:
    user = make_signing_in_user("ann@münchen.de")
    client.post(reverse("sign-in"), {"username": f" {spelled} ", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(user.pk)


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_each_spelling_makes_the_same_person_staff_and_finds_them(spelled: str) -> None:
    user = make_user("ann@münchen.de")
    made = staff_create(console_context(), email=spelled, name="", role=Role.SUPPORT, password=PASSWORD)
    assert (made.record.pk, made.is_created) == (user.pk, False)
    assert User.objects.get_by_natural_key(spelled).pk == user.pk


def test_staff_need_a_mailbox() -> None:
    before = stored()
    with pytest.raises(UnprocessableError, match="email: must be one e-mail address"):
        staff_create(console_context(), email="ann", name="", role=Role.SUPPORT, password=PASSWORD)
    assert stored() == before


@pytest.mark.parametrize(
    "email", ["ann@münchen.de", "m\u0131ke@example.com", "ann @example.com", "\u212aim@example.com"]
)
def test_the_database_takes_no_other_spelling(email: str) -> None:
    user = make_user()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email=email)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(email=email)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email=user.email)


def test_a_row_in_an_old_form_can_still_be_written(client: Client) -> None:
    late = old_user("ann@münchen.de")
    late.name = "Ann"
    late.save()
    assert User.objects.get(pk=late.pk).name == "Ann"


def test_staff_find_a_person_by_each_spelling() -> None:
    user, client = make_user("ann@münchen.de"), client_of(Role.PLATFORM_ADMIN)
    for spelled in SPELLINGS:
        page = client.get(reverse("admin:tenants_user_changelist"), {"q": spelled}).content.decode()
        assert str(user.pk) in page
