"""Refusals of the credits API that name something unknown or past: each with its code, and nothing booked (spec 09)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.core import clock
from apps.credits.models import CreditEntry, CreditGrant, Hold
from apps.tenants.models import User
from tests.credits.cast import Place, assert_sound, look_at, make_place
from tests.factories.tenants import make_organization, make_product, make_token, make_user, make_workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 2, 8, tzinfo=UTC)
NOBODY = uuid.UUID(int=7)


def send(place: Place, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = Client().generic(
        method,
        f"/api/v1/internal/{path}",
        "" if body is None else json.dumps(body),
        content_type="application/json" if body is not None else "",
        headers={"authorization": f"Bearer {make_token(place.product)}"},
    )
    return answer.status_code, json.loads(answer.content)


def codes_of(problem: Any) -> set[str]:
    """The problem's own code, and those of its fields."""
    return {problem["code"], *(error["code"] for error in problem.get("errors", ()))}


def of_user(user: object) -> dict[str, str]:
    return {"type": "user", "id": str(user)}


def grant(**values: Any) -> dict[str, Any]:
    return {"idempotency_key": "g-1", "grant_type": "bonus", "amount": "1", **values}


REVERSAL = {"idempotency_key": "r-1", "reason": "our fault"}
CAPTURE = {"idempotency_key": "c-1", "quantity": "1", "outcome": "succeeded"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", f"entries/{NOBODY}:reverse", REVERSAL, 404, "unknown_entry"),
        ("POST", f"holds/{NOBODY}:capture", CAPTURE, 404, "unknown_hold"),
        ("POST", f"holds/{NOBODY}:release", {"idempotency_key": "r-1"}, 404, "unknown_hold"),
        ("GET", f"accounts/user/{NOBODY}/balance", None, 404, "unknown_user"),
        ("GET", f"accounts/organization/{NOBODY}/balance", None, 404, "not_found"),
        ("POST", "credits:grant", grant(account=of_user(NOBODY)), 404, "unknown_user"),
        ("GET", "accounts/organization/{own}/entries?limit=1&limit=2", None, 400, "given_twice"),
        ("GET", "accounts/organization/{own}/entries?limit=0", None, 422, "out_of_range"),
        ("GET", "accounts/organization/{own}/entries?cursor=nonsense", None, 400, "bad_cursor"),
    ],
)
def test_what_is_not_there_is_said_with_its_code(method: str, path: str, body: Any, status: int, code: str) -> None:
    place = make_place(whole_credits=10)
    before = list(CreditEntry.objects.order_by("pk").values())
    answered, problem = send(place, method, path.format(own=place.organization.pk), body)
    assert answered == status, problem
    assert code in codes_of(problem)
    assert list(CreditEntry.objects.order_by("pk").values()) == before


def test_a_grant_that_has_expired_already_is_refused() -> None:
    place = make_place()
    account = {"type": "organization", "id": str(place.organization.pk)}
    body = grant(account=account, expires_at=clock.now().isoformat())
    status, problem = send(place, "POST", "credits:grant", body)
    assert (status, "in_the_past" in codes_of(problem)) == (422, True), problem
    assert not CreditGrant.objects.exists()


def test_a_hold_whose_time_is_over_is_not_captured() -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        place = make_place(whole_credits=10)
        account = {"type": "organization", "id": str(place.organization.pk)}
        asked = {
            "account": account,
            "operation": "fix_run",
            "quantity": "1",
            "hold": {"ttl_seconds": 60},
            "idempotency_key": "hold",
        }
        _, allowed = send(place, "POST", "credits:authorize", asked)
        path = f"holds/{allowed['hold']['id']}:capture"
        traveller.shift(timedelta(seconds=60))
        status, problem = send(place, "POST", path, CAPTURE)
        assert (status, problem["code"]) == (409, "hold_expired")
        look_at(place)
        assert Hold.objects.get().status == "expired"
        assert (place.account.balance, place.account.held) == (10_000_000, 0)
        assert_sound()


def test_what_was_captured_or_released_is_so_for_good() -> None:
    place = make_place(whole_credits=10)
    account = {"type": "organization", "id": str(place.organization.pk)}
    asked = {
        "account": account,
        "operation": "fix_run",
        "quantity": "1",
        "hold": {"ttl_seconds": 600},
    }
    for first, code in (
        (("capture", CAPTURE), "hold_captured"),
        (("release", {"idempotency_key": "x"}), "hold_released"),
    ):
        _, allowed = send(place, "POST", "credits:authorize", {**asked, "idempotency_key": code})
        hold = f"holds/{allowed['hold']['id']}"
        assert send(place, "POST", f"{hold}:{first[0]}", first[1])[0] in {200, 201}
        entries = CreditEntry.objects.count()
        status, problem = send(place, "POST", f"{hold}:capture", {**CAPTURE, "idempotency_key": f"again-{code}"})
        assert (status, problem["code"]) == (409, code)
        assert CreditEntry.objects.count() == entries
    assert_sound()


def test_a_person_without_an_account_can_not_pay() -> None:
    place = make_place()
    user = make_user()
    User.objects.filter(pk=user.pk).update(created_by_product=place.product)
    body = {"account": of_user(user.pk), "operation": "fix_run", "quantity": "1", "outcome": "succeeded"}
    status, problem = send(place, "POST", "credits:consume", {**body, "idempotency_key": "k-1"})
    assert (status, problem["code"]) == (402, "insufficient_credits")
    assert not CreditEntry.objects.exists()


def test_another_product_and_another_organizations_workspace_are_refused() -> None:
    place = make_place(whole_credits=10)
    stranger = Place(make_product("blue"), place.organization, place.context)
    foreign = make_workspace(make_organization("Contoso"))
    body = {
        "idempotency_key": "k-1",
        "account": {"type": "organization", "id": str(place.organization.pk)},
        "operation": "fix_run",
        "quantity": "1",
        "outcome": "succeeded",
    }
    before = list(CreditEntry.objects.order_by("pk").values())
    status, problem = send(stranger, "POST", "credits:consume", body)
    assert (status, problem["code"]) == (403, "product_not_related")
    assert [step["rule"] for step in problem["explanation"]] == ["product_relation"]
    status, problem = send(place, "POST", "credits:consume", {**body, "workspace_id": str(foreign.pk)})
    assert (status, problem["code"]) == (400, "tenant_ambiguous")
    assert list(CreditEntry.objects.order_by("pk").values()) == before
