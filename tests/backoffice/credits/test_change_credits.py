"""The verbs of credits by role: who may, what it does; a double click does it once, a denied one nothing."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant
from apps.credits.services import credits_consume
from apps.tenants.models import Product
from tests.backoffice.people import client_of
from tests.credits.cast import Place, assert_sound, consumption, look_at, make_place
from tests.factories.tenants import make_product, make_workspace

pytestmark = pytest.mark.django_db

SCRIPT = {"HX-Request": "true"}
WHY = "ticket 4711"
ACCOUNT_VERBS = {
    "grant_credits": {"grant_type": "bonus", "amount": "12.5", "priority": "100"},
    "adjust_credits": {"amount": "3"},
    "set_overdraft": {"limit": "7"},
}


@pytest.fixture
def place() -> Place:
    made = make_place(whole_credits=10)
    credits_consume(made.context, consumption=consumption(made))
    look_at(made)
    return made


def everything() -> list[object]:
    """Whatever a verb could change."""
    models = (CreditAccount, CreditGrant, CreditEntry, Product)
    return [*(list(model._default_manager.order_by("pk").values()) for model in models), AuditEntry.objects.count()]


def charge_of(place: Place) -> CreditEntry:
    return CreditEntry.objects.get(account_id=place.organization.pk, kind="consumption")


def step(client: Client, url: str, name: str, fields: dict[str, str]) -> tuple[str, str]:
    """One step of a dialog: where it leads, and its text."""
    answer = client.post(url, {"reason": WHY, "step": name, **fields}, headers=SCRIPT)
    assert answer.status_code == 200
    return answer.headers.get("HX-Redirect", ""), answer.content.decode()


def dialogs(place: Place) -> list[tuple[str, dict[str, str]]]:
    """Every dialog that changes credits, with what is typed."""
    made = [
        (reverse(f"admin:credits_creditaccount_{verb}", args=(place.organization.pk,)), fields)
        for verb, fields in ACCOUNT_VERBS.items()
    ]
    return [*made, (reverse("admin:credits_creditentry_reverse_entry", args=(charge_of(place).pk,)), {})]


def test_support_may_do_none_of_it_and_nothing_changes(place: Place) -> None:
    client = client_of(Role.SUPPORT)
    before = everything()
    for url, fields in dialogs(place):
        posted = {"reason": WHY, "step": "apply", "key": str(uuid.uuid4()), **fields}
        assert client.post(url, posted, headers=SCRIPT).status_code == 403
        assert client.get(url).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("role", [Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN])
def test_who_may_previews_without_change_and_applies_once_however_often_it_clicks(role: Role, place: Place) -> None:
    client = client_of(role)
    for url, fields in dialogs(place):
        typed = {**fields, "key": str(uuid.uuid4())}
        before = everything()
        _, text = step(client, url, "preview", typed)
        assert "what it will do" in text, text
        assert everything() == before
        leads_to, text = step(client, url, "apply", typed)
        assert leads_to, text
        once = everything()
        assert once != before
        step(client, url, "apply", typed)
        assert everything() == once
        assert AuditEntry.objects.order_by("-recorded_at", "-sequence").filter(reason=WHY).exists()
    account = place.account
    assert (account.balance, account.overdraft_limit) == (19_500_000, 7 * MICRO)
    assert_sound()


def test_the_second_click_says_that_it_was_done_before(place: Place) -> None:
    client = client_of(Role.BILLING_OPERATIONS)
    url = reverse("admin:credits_creditaccount_grant_credits", args=(place.organization.pk,))
    typed = {**ACCOUNT_VERBS["grant_credits"], "key": str(uuid.uuid4())}
    page = ""
    for _ in range(2):
        leads_to, _ = step(client, url, "apply", typed)
        page = client.get(leads_to).content.decode()
    assert "Nothing was done a second time" in page
    assert CreditGrant.objects.filter(grant_type="bonus").count() == 1


def test_another_key_is_another_grant(place: Place) -> None:
    """The negative control of the double click: it is the key that makes it one."""
    client = client_of(Role.BILLING_OPERATIONS)
    url = reverse("admin:credits_creditaccount_grant_credits", args=(place.organization.pk,))
    for _ in range(2):
        step(client, url, "apply", {**ACCOUNT_VERBS["grant_credits"], "key": str(uuid.uuid4())})
    assert CreditGrant.objects.filter(grant_type="bonus").count() == 2


def test_the_preview_tells_the_balance_before_and_after_and_who_pays(place: Place) -> None:
    url = reverse("admin:credits_creditaccount_adjust_credits", args=(place.organization.pk,))
    client = client_of(Role.BILLING_OPERATIONS)
    _, text = step(client, url, "preview", {"amount": "3", "key": str(uuid.uuid4())})
    for words in ("7.5", "4.5", "3 from the purchased grant of 10"):
        assert words in text
    _, text = step(client, url, "preview", {"amount": "300", "key": str(uuid.uuid4())})
    assert "this will be refused" in text


def test_a_refusal_changes_nothing_and_the_form_goes_on_with_another_key(place: Place) -> None:
    url = reverse("admin:credits_creditaccount_adjust_credits", args=(place.organization.pk,))
    client, key = client_of(Role.BILLING_OPERATIONS), str(uuid.uuid4())
    before = everything()
    leads_to, text = step(client, url, "apply", {"amount": "300", "key": key})
    assert not leads_to
    assert "does not hold as much" in text
    assert key not in text
    assert everything() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": ""},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": "NaN"},
        {"amount": "0.0000001"},
        {"amount": "1000000001"},
        {"grant_type": ""},
        {"grant_type": "gift"},
        {"priority": "256"},
        {"expires_on": "2001-01-01"},
        {"key": "x"},
        {"reason": ""},
    ],
)
def test_an_impossible_grant_is_refused_in_the_form(fields: dict[str, str], place: Place) -> None:
    url = reverse("admin:credits_creditaccount_grant_credits", args=(place.organization.pk,))
    client = client_of(Role.BILLING_OPERATIONS)
    before = everything()
    typed = {**ACCOUNT_VERBS["grant_credits"], "key": str(uuid.uuid4()), **fields}
    leads_to, _ = step(client, url, "apply", typed)
    assert not leads_to
    assert everything() == before


def test_a_charge_is_given_back_in_parts_and_never_more_than_it_was(place: Place) -> None:
    url = reverse("admin:credits_creditentry_reverse_entry", args=(charge_of(place).pk,))
    client = client_of(Role.BILLING_OPERATIONS)
    _, text = step(client, url, "apply", {"amount": "2.6", "key": str(uuid.uuid4())})
    assert "more than" in text
    assert step(client, url, "apply", {"amount": "1", "key": str(uuid.uuid4())})[0]
    _, text = step(client, url, "apply", {"amount": "1.6", "key": str(uuid.uuid4())})
    assert "more than" in text
    assert place.account.balance == 8_500_000
    assert step(client, url, "apply", {"key": str(uuid.uuid4())})[0]
    assert place.account.balance == 10_000_000
    assert (
        url not in client.get(reverse("admin:credits_creditentry_change", args=(charge_of(place).pk,))).content.decode()
    )


def test_a_dialog_leads_back_to_the_page_it_was_opened_from(place: Place) -> None:
    client, workspace = client_of(Role.BILLING_OPERATIONS), make_workspace(place.organization)
    foreign = make_workspace(make_place("other").organization)
    url = reverse("admin:credits_creditaccount_set_overdraft", args=(place.organization.pk,))
    account = reverse("admin:credits_creditaccount_change", args=(place.organization.pk,))
    for back, expected in (
        (f"workspace:{workspace.pk}", reverse("admin:tenants_workspace_change", args=(workspace.pk,))),
        (f"workspace:{foreign.pk}", account),
        ("workspace:nonsense", account),
        ("//evil.example", account),
        ("organization:x", reverse("admin:tenants_organization_change", args=(place.organization.pk,))),
    ):
        leads_to, _ = step(client, f"{url}?back={back}", "apply", {"limit": "7", "key": str(uuid.uuid4())})
        assert leads_to == expected


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING_OPERATIONS])
def test_only_platform_admins_change_the_billing_mode(role: Role) -> None:
    product, client = make_product(), client_of(role)
    before = everything()
    url = reverse("admin:tenants_product_change_billing_mode", args=(product.pk,))
    assert client.post(url, {"reason": WHY, "billing_mode": "shadow"}).status_code == 403
    assert everything() == before


def test_central_asks_for_a_check_or_for_somebodys_word() -> None:
    product, client = make_product(), client_of(Role.PLATFORM_ADMIN)
    url = reverse("admin:tenants_product_change_billing_mode", args=(product.pk,))
    text = client.post(url, {"reason": WHY, "billing_mode": "central"}, headers=SCRIPT).content.decode()
    assert "No cutover check" in text
    assert Product.objects.get().billing_mode == "local"
    client.post(url, {"reason": WHY, "billing_mode": "central", "without_check": "on"}, headers=SCRIPT)
    assert Product.objects.get().billing_mode == "central"
    assert AuditEntry.objects.get(event="product.billing_mode_changed", reason=WHY).after["without_check"] is True
