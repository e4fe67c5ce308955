"""A product acts on, and reads in full, what it made itself; the identity service acts on all (spec 09, Credits)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.models import AuditEntry
from apps.credits.api import urls
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, Hold
from apps.credits.ownership import owns
from tests.contexts import console_context, identity_context, product_context, staff_context
from tests.credits.cast import Place, assert_sound, give, look_at, make_place
from tests.factories.tenants import make_product, make_token

pytestmark = pytest.mark.django_db
API = "/api/v1/internal"
KEY = {"idempotency_key": "k-1"}
# Of each endpoint that takes the id of a record: what is sent, and the code of the refusal.
REQUESTS: dict[str, tuple[str, dict[str, Any] | None, str]] = {
    "hold-capture": ("POST", {**KEY, "outcome": "succeeded"}, "hold_of_another_product"),
    "hold-release": ("POST", KEY, "hold_of_another_product"),
    "hold-extend": ("POST", {**KEY, "ttl_seconds": 60}, "hold_of_another_product"),
    "hold": ("GET", None, "hold_of_another_product"),
    "entry-reverse": ("POST", {**KEY, "reason": "ours"}, "entry_of_another_product"),
    "entry": ("GET", None, "entry_of_another_product"),
    "grant-burns": ("GET", None, "grant_of_another_product"),
    "grant-void": ("POST", {**KEY, "reason": "ours"}, "grant_of_another_product"),
    "decision": ("GET", None, "decision_of_another_product"),
}
Send = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def place(lasting_db: None) -> Iterator[Place]:
    return make_place(whole_credits=100)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def tokens(place: Place) -> dict[str, str]:
    return {
        "red": make_token(place.product),
        "blue": make_token(make_product("blue", place.organization)),
        "identity": make_token(make_product("identity"), *DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE),
    }


@pytest.fixture
def send(client: Client, tokens: dict[str, str]) -> Send:
    def ask(who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = client.generic(
            method,
            path,
            json.dumps(body) if body is not None else "",
            content_type="application/json" if body is not None else "",
            headers={"authorization": f"Bearer {tokens[who]}"},
        )
        return answer.status_code, json.loads(answer.content)

    return ask


@pytest.fixture
def ids(send: Send, place: Place) -> dict[str, uuid.UUID]:
    """What red made: a charge, a grant, an open hold and a decision."""
    account = {"type": "organization", "id": str(place.organization.pk)}
    asked = {"account": account, "operation": "fix_run", "quantity": "1"}
    run = {**asked, "outcome": "succeeded", "idempotency_key": "run-1", "run_id": "secret-run"}
    _, charged = send("red", "POST", f"{API}/credits:consume", run)
    _, held = send(
        "red", "POST", f"{API}/credits:authorize", {**asked, "hold": {"ttl_seconds": 600}, "idempotency_key": "h-1"}
    )
    return {
        "entry_id": uuid.UUID(charged["entry_id"]),
        "hold_id": uuid.UUID(held["hold"]["id"]),
        "decision_id": uuid.UUID(held["decision_id"]),
        "grant_id": give(place, MICRO, note="secret note"),
    }


def records() -> list[URLPattern]:
    return [pattern for pattern in urls.urlpatterns if set(pattern.pattern.converters) & set(REQUEST_IDS)]


REQUEST_IDS = ("entry_id", "hold_id", "grant_id", "decision_id")


def path_of(name: str, ids: dict[str, uuid.UUID]) -> str:
    (pattern,) = [each for each in records() if each.name == name]
    (argument,) = pattern.pattern.converters
    return reverse(name, kwargs={argument: ids[argument]})


def books() -> list[Any]:
    models = (CreditAccount, CreditEntry, CreditGrant, Hold, AuditEntry)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def test_every_endpoint_that_takes_an_id_is_asked_here() -> None:
    assert {pattern.name for pattern in records()} == set(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_another_related_product_is_refused_and_changes_nothing(
    send: Send, ids: dict[str, uuid.UUID], place: Place, name: str
) -> None:
    method, body, code = REQUESTS[name]
    look_at(place)
    before = books()
    status, problem = send("blue", method, path_of(name, ids), body)
    assert (status, problem["code"], len(problem["explanation"])) == (403, code, 1), problem
    assert books() == before


@pytest.mark.parametrize("who", ["red", "identity"])
@pytest.mark.parametrize("name", REQUESTS)
def test_its_own_product_and_the_identity_service_are_served(
    send: Send, ids: dict[str, uuid.UUID], name: str, who: str
) -> None:
    method, body, _ = REQUESTS[name]
    status, answer = send(who, method, path_of(name, ids), body)
    assert status in {200, 201}, answer
    assert_sound()


def test_of_anothers_records_lists_tell_what_moved_and_not_why(
    send: Send, ids: dict[str, uuid.UUID], place: Place
) -> None:
    lists = f"{API}/accounts/organization/{place.organization.pk}"
    for name, record_id in (("entries", "entry_id"), ("grants", "grant_id"), ("holds", "hold_id")):
        found = {}
        for who in ("red", "blue", "identity"):
            status, page = send(who, "GET", f"{lists}/{name}")
            assert status == 200, page
            assert "secret" not in json.dumps(page) or who != "blue"
            (found[who],) = [item for item in page["items"] if item["id"] == str(ids[record_id])]
        assert found["red"] == found["identity"]
        assert found["blue"].keys() == found["red"].keys()
        told = {key: value for key, value in found["blue"].items() if value is not None}
        hidden = found["red"].keys() - told.keys()
        assert told == {**{key: found["red"][key] for key in told}, "own": False}
        assert hidden >= ({"operation", "quantity"} if name != "grants" else {"note", "granted_by", "idempotency_key"})
        assert {"amount", "product"} <= told.keys()


def test_the_end_of_a_grant_is_of_whoever_gave_it(send: Send, ids: dict[str, uuid.UUID], place: Place) -> None:
    give(place, MICRO, expires_at=clock.now() + timedelta(days=1))
    send("identity", "POST", path_of("grant-void", ids), {**KEY, "reason": "secret"})
    with clock.as_of(clock.now() + timedelta(days=2)):
        look_at(place)
        for entry in CreditEntry.objects.filter(kind__in=["void", "expiry"]):
            path = reverse("entry", kwargs={"entry_id": entry.pk})
            assert [send(who, "GET", path)[0] for who in ("red", "blue")] == [200, 403]
    assert CreditEntry.objects.filter(kind__in=["void", "expiry"]).count() == 2


@pytest.mark.parametrize(("owner", "may"), [("own", True), ("other", False), ("none", False)])
def test_who_owns_what(place: Place, owner: str, may: bool) -> None:
    product = {"own": place.product.pk, "other": uuid.uuid4(), "none": None}[owner]
    assert owns(product_context(place.product), product) is may
    for other in (identity_context(place.product), staff_context(), console_context()):
        assert owns(other, product)
