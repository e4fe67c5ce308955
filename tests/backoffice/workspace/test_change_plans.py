"""Plans are made and changed by platform admins, with a reason; prices are typed in whole units."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.pages.plans import minor_units
from apps.core.enums import Role
from apps.core.errors import UnprocessableError
from apps.core.models import AuditEntry
from apps.subscriptions.models import Plan
from tests.backoffice.people import client_of
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db

SCRIPT = {"HX-Request": "true"}
NEW = {
    "name": "Scale",
    "slug": "scale",
    "price": "399.50",
    "currency": "eur",
    "interval": "month",
    "is_active": "on",
    "reason": "ticket 4711",
}


def make(client: Client, **fields: str) -> str:
    answer = client.post(reverse("admin:subscriptions_plan_new"), NEW | fields, headers=SCRIPT)
    assert answer.status_code == 200
    return answer.headers.get("HX-Redirect", answer.content.decode())


def test_a_plan_is_made_with_its_reason() -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    assert make(client) == reverse("admin:subscriptions_plan_changelist")
    plan = Plan.objects.get(slug="scale")
    assert (plan.price_minor, plan.currency, plan.is_active) == (39950, "EUR", True)
    assert AuditEntry.objects.get(event="plan.created", target_id=str(plan.pk)).reason == "ticket 4711"
    assert "There is already a plan scale" in make(client, name="Another")
    assert Plan.objects.get(slug="scale").name == "Scale"


def test_a_plan_is_changed_from_what_it_says_now() -> None:
    client, plan = client_of(Role.PLATFORM_ADMIN), make_plan()
    url = reverse("admin:subscriptions_plan_change_plan", args=(plan.pk,))
    assert 'value="49.00"' in client.get(url).content.decode()
    fields = {name: NEW[name] for name in ("name", "price", "currency", "interval", "reason")}
    shown = client.post(url, {**fields, "step": "preview"}, headers=SCRIPT).content.decode()
    assert "€49.00" in shown or "49.00 EUR" in shown
    assert "0 subscriptions running on this plan" in shown
    assert "Nothing is sent to Stripe or Orb" in shown
    plan.refresh_from_db()
    assert plan.price_minor == 4900
    answer = client.post(url, {**fields, "step": "apply"}, headers=SCRIPT)
    assert answer.headers["HX-Redirect"] == reverse("admin:subscriptions_plan_change", args=(plan.pk,))
    plan.refresh_from_db()
    assert (plan.name, plan.price_minor, plan.is_active) == ("Scale", 39950, False)


@pytest.mark.parametrize("wrong", [{"price": "1.234"}, {"price": "-1"}, {"price": "1e3"}, {"currency": "E1"}])
def test_what_is_no_price_is_told_and_nothing_is_made(wrong: dict[str, str]) -> None:
    body = make(client_of(Role.PLATFORM_ADMIN), **wrong)
    assert 'role="alert"' in body
    assert "Scale" in body
    assert not Plan.objects.exists()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING_OPERATIONS])
def test_other_roles_read_plans_and_change_none(role: Role) -> None:
    client, plan = client_of(role), make_plan()
    listed = client.get(reverse("admin:subscriptions_plan_changelist")).content.decode()
    assert plan.name in listed
    assert "New plan" not in listed
    before = AuditEntry.objects.count()
    for url in (
        reverse("admin:subscriptions_plan_new"),
        reverse("admin:subscriptions_plan_change_plan", args=(plan.pk,)),
    ):
        assert client.get(url).status_code == 403
        assert client.post(url, NEW, headers=SCRIPT).status_code == 403
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize(
    ("text", "currency", "units"),
    [("49", "EUR", 4900), ("49.05", "USD", 4905), ("1000", "JPY", 1000), ("1.5", "KWD", 1500)],
)
def test_minor_units_follow_the_currency(text: str, currency: str, units: int) -> None:
    assert minor_units(text, currency) == units


@pytest.mark.parametrize(("text", "currency"), [("0.5", "JPY"), ("1.001", "EUR"), ("x", "EUR"), ("1", "XX")])
def test_no_price_of_the_currency(text: str, currency: str) -> None:
    with pytest.raises(UnprocessableError):
        minor_units(text, currency)
