"""Tokens and staff are made only as they can be used; what is refused makes nothing (spec 02, Records)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.core import clock
from apps.core.enums import Role, Scope
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId, ServiceTokenId
from apps.core.models import AuditEntry
from apps.tenants.enums import BillingMode, TokenKind
from apps.tenants.models import ServiceToken, User
from apps.tenants.services import (
    product_billing_mode_change,
    service_token_create,
    service_token_revoke,
    staff_create,
)
from tests.contexts import console_context
from tests.factories.tenants import PASSWORD, make_cron_token, make_product

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("wish", "field", "code"),
    [
        ({"kind": TokenKind.PRODUCT}, "product", "product_mismatch"),
        ({"kind": TokenKind.CRON, "product": True}, "product", "product_mismatch"),
        ({"kind": TokenKind.PRODUCT, "product": True, "scopes": ()}, "scopes", "empty"),
        ({"kind": TokenKind.PRODUCT, "product": True, "scopes": (Scope.JOBS_RUN,)}, "scopes", "not_for_products"),
        ({"kind": TokenKind.CRON, "expires_at": timedelta(0)}, "expires_at", "in_the_past"),
        ({"kind": TokenKind.CRON, "expires_at": timedelta(days=-1)}, "expires_at", "in_the_past"),
    ],
    ids=str,
)
def test_a_token_that_could_do_nothing_is_not_made(wish: dict[str, Any], field: str, code: str) -> None:
    product = make_product()
    values = dict(wish)
    if values.pop("product", False):
        values["product_id"] = ProductId(product.pk)
    if "expires_at" in values:
        values["expires_at"] += clock.now()
    entries = AuditEntry.objects.count()
    with pytest.raises(UnprocessableError) as refusal:
        service_token_create(console_context(), name="nightly", **values)
    assert [(error.field, error.code) for error in refusal.value.errors] == [(field, code)]
    assert not ServiceToken.objects.exists()
    assert AuditEntry.objects.count() == entries


def test_a_token_is_revoked_once_with_a_reason() -> None:
    make_cron_token()
    token = ServiceToken.objects.get()
    token_id = ServiceTokenId(token.pk)
    with pytest.raises(UnprocessableError) as refusal:
        service_token_revoke(console_context(), token_id=token_id, reason=" ")
    assert [(error.field, error.code) for error in refusal.value.errors] == [("reason", "required")]
    token.refresh_from_db()
    assert token.revoked_at is None
    with pytest.raises(NotFoundError):
        service_token_revoke(console_context(), token_id=ServiceTokenId(uuid.uuid4()), reason="lost")
    revoked_at = service_token_revoke(console_context(), token_id=token_id, reason="lost").revoked_at
    with pytest.raises(ConflictError, match="revoked already"):
        service_token_revoke(console_context(), token_id=token_id, reason="lost again")
    token.refresh_from_db()
    assert token.revoked_at == revoked_at


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"role": Role.OWNER}, "role", "unknown_role"),
        ({"role": Role.SERVICE}, "role", "unknown_role"),
        ({"password": "short"}, "password", "too_weak"),
        ({"password": "12345678901234567890"}, "password", "too_weak"),
        ({"password": "dana.smith@countinghouse.example"}, "password", "too_weak"),
    ],
    ids=str,
)
def test_nobody_becomes_staff_with_another_role_or_a_weak_password(
    values: dict[str, Any], field: str, code: str
) -> None:
    person = {"email": "dana.smith@countinghouse.example", "name": "Dana", "role": Role.SUPPORT, "password": PASSWORD}
    with pytest.raises(UnprocessableError) as refusal:
        staff_create(console_context(), **{**person, **values})
    assert [(error.field, error.code) for error in refusal.value.errors] == [(field, code)]
    assert not User.objects.exists()


def test_a_role_replaces_the_one_before() -> None:
    person = {"email": "Dana@countinghouse.example", "name": "Dana", "password": PASSWORD}
    for role in (Role.SUPPORT, Role.PLATFORM_ADMIN):
        staff_create(console_context(), role=role, **person)
    assert list(Group.objects.filter(user=User.objects.get()).values_list("name", flat=True)) == ["platform_admin"]


def test_central_billing_wants_a_check_or_an_override() -> None:
    product = make_product()
    change: dict[str, Any] = {"product_id": ProductId(product.pk), "billing_mode": BillingMode.CENTRAL, "reason": "now"}
    with pytest.raises(ConflictError) as refusal:
        product_billing_mode_change(console_context(), **change)
    assert refusal.value.problem_code == "cutover_unchecked"
    product.refresh_from_db()
    assert product.billing_mode == BillingMode.LOCAL
    product_billing_mode_change(console_context(), **change, without_check=True)
    product.refresh_from_db()
    assert product.billing_mode == BillingMode.CENTRAL
    with pytest.raises(NotFoundError):
        product_billing_mode_change(console_context(), **{**change, "product_id": ProductId(uuid.uuid4())})
