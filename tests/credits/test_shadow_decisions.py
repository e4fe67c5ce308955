"""Shadow mode over real HTTP: who decides in which mode, and how each class of disagreement is kept (spec 05)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.ids import OrganizationId, ProductId
from apps.credits.enums import DisagreementClass
from apps.credits.models import ShadowDisagreement
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product
from apps.tenants.services import billing_exception_change, billing_mode_revert, product_billing_mode_change
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, make_place
from tests.factories.tenants import make_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., dict[str, Any]]


class Case(NamedTuple):
    """What is asked beyond one piece of an account of ten, what the product says of it, and where the two differ."""

    asked: dict[str, str]
    decision: str
    balance: str
    charge: str
    ours: str
    difference: DisagreementClass | None


CASES = {
    "agreed upon": Case({}, "allow", "10", "1", "ok", None),
    "agreed to deny": Case({"quantity": "11"}, "deny", "10", "11", "insufficient_credits", None),
    "denied there alone": Case({}, "deny", "10", "1", "ok", DisagreementClass.VERDICT),
    "denied here alone": Case(
        {"quantity": "11"}, "allow", "10", "11", "insufficient_credits", DisagreementClass.VERDICT
    ),
    "another price": Case({}, "allow", "10", "1.000002", "ok", DisagreementClass.AMOUNT),
    "rounded otherwise": Case({}, "allow", "10", "0.999999", "ok", DisagreementClass.ROUNDING),
    "another balance": Case({}, "allow", "9.999999", "1", "ok", DisagreementClass.BALANCE),
    "another price and balance": Case({}, "allow", "0", "2", "ok", DisagreementClass.AMOUNT),
    "not priced here": Case(
        {"operation": "render"}, "allow", "10", "1", "unknown_operation", DisagreementClass.UNKNOWN_OPERATION
    ),
    "no member here": Case({"user_id": "stranger"}, "allow", "10", "1", "not_a_member", DisagreementClass.MEMBERSHIP),
}


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=10)


@pytest.fixture
def ask(place: Place, live_server: LiveServer) -> Iterator[Ask]:
    stranger = str(make_user().pk)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {make_token(place.product)}"

        def sent(case: Case, *, tells: bool = True) -> dict[str, Any]:
            account = {"type": "organization", "id": str(place.organization.pk)}
            body = {"account": account, "operation": "unit", "quantity": "1", **case.asked}
            if "user_id" in case.asked:
                body["user_id"] = stranger
            if tells:
                said = {"decision": case.decision, "balance": case.balance, "charge": case.charge}
                body["local_decision"] = said
            answer = session.post(f"{live_server.url}/api/v1/internal/credits:authorize", json=body, timeout=30)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        yield sent


def switch(product: Product, *modes: BillingMode) -> None:
    """To the last of the modes, through those on the way."""
    for mode in modes:
        product_billing_mode_change(
            console_context(),
            product_id=ProductId(product.pk),
            billing_mode=mode,
            reason="ticket 4711",
            without_check=True,
        )


MODES = {
    BillingMode.LOCAL: (),
    BillingMode.SHADOW: (BillingMode.SHADOW,),
    BillingMode.CENTRAL: (BillingMode.SHADOW, BillingMode.CENTRAL),
}


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.slow
def test_who_decides_and_what_is_kept_of_each_disagreement(mode: BillingMode, place: Place, ask: Ask) -> None:
    switch(place.product, *MODES[mode])
    is_local = mode != BillingMode.CENTRAL
    for name, case in CASES.items():
        before = set(ShadowDisagreement.objects.values_list("pk", flat=True))
        answer = ask(case)
        ours = "allow" if case.ours == "ok" else "deny"
        assert answer["decided_by"] == ("local" if is_local else "central"), name
        assert answer["decision"] == (case.decision if is_local else ours), name
        assert answer["code"] == (case.ours if answer["decision"] == ours else "decided_by_product"), name
        kept = ShadowDisagreement.objects.exclude(pk__in=before)
        assert [row.difference for row in kept] == ([case.difference.value] if case.difference else []), name
        for row in kept:
            theirs = (row.local_decision, row.local_balance, row.local_charge)
            assert theirs == (case.decision, _micro(case.balance), _micro(case.charge))
            assert (row.central_decision, row.central_code, row.central_balance) == (ours, case.ours, 10 * MICRO)
    assert (place.account.balance, place.account.held) == (10 * MICRO, 0)
    assert_sound()


def _micro(text: str) -> int:
    whole, _, rest = text.partition(".")
    return int(whole) * MICRO + int(rest.ljust(6, "0"))


@pytest.mark.slow
def test_the_drift_page_counts_each_class_and_what_was_agreed_upon_not_at_all(place: Place, ask: Ask) -> None:
    switch(place.product, BillingMode.SHADOW)
    asked = {name: number for number, name in enumerate(CASES, start=1)}
    for name, times in asked.items():
        for _ in range(times):
            ask(CASES[name])
            ask(CASES[name], tells=False)  # the control: nothing told, nothing to compare
    expected = Counter[str]()
    for name, case in CASES.items():
        if case.difference:
            expected[case.difference.label] += asked[name]
    client = client_of(Role.SUPPORT)
    page = client.get(reverse("admin:tenants_product_drift", args=(place.product.pk,)))
    classes = page.context["drift"].counts
    shown = {each.label: row.total for each, row in zip(classes, page.context["rows"], strict=True)}
    assert {label: total for label, total in shown.items() if total} == expected
    assert page.context["drift"].total == sum(expected.values())


def test_one_organization_is_decided_centrally_from_the_next_call_on_and_back(place: Place, ask: Ask) -> None:
    switch(place.product, BillingMode.SHADOW)
    case = CASES[next(iter(CASES))]
    change: dict[str, Any] = {
        "product_id": ProductId(place.product.pk),
        "organization_id": OrganizationId(place.organization.pk),
        "reason": "pilot customer",
        "without_check": True,
    }
    assert ask(case)["decided_by"] == "local"
    billing_exception_change(console_context(), mode=BillingMode.CENTRAL, **change)
    assert ask(case)["decided_by"] == "central"
    billing_mode_revert(console_context(), product_id=ProductId(place.product.pk), reason="not yet")
    assert ask(case)["decided_by"] == "local"
