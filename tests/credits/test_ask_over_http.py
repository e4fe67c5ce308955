"""The credits API as a product uses it: the story, the exact statements, and what is malformed or impossible."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.credits.models import CreditEntry
from apps.tenants.models import User
from tests.credits.cast import Place, assert_sound, make_place
from tests.factories.tenants import make_membership, make_token, make_user
from tests.sent import statements

pytestmark = pytest.mark.django_db
API = "/api/v1/internal"
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=100)


@pytest.fixture
def call(client: Client, place: Place) -> Call:
    return asker(client, place)


def asker(client: Client, place: Place) -> Call:
    """Calls of the place's product, answered with status and body."""
    token = make_token(place.product)

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = body if isinstance(body, str) else json.dumps(body)
        answer = client.generic(
            method,
            f"{API}/{path}",
            "" if body is None else text,
            content_type="application/json" if body is not None else "",
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None

    return send


def run(place: Place, **values: Any) -> dict[str, Any]:
    account = {"type": "organization", "id": str(place.organization.pk)}
    base = {"account": account, "operation": "fix_run", "quantity": "1", "outcome": "succeeded"}
    return {"idempotency_key": uuid.uuid4().hex, **base, **values}


def asked(place: Place, **values: Any) -> dict[str, Any]:
    return {name: value for name, value in run(place, **values).items() if name not in {"idempotency_key", "outcome"}}


def test_the_hot_path_sends_exactly_these_statements(call: Call, place: Place) -> None:
    call("POST", "credits:consume", run(place))  # the process remembers token and policy from here on
    item = run(place)
    for path, body, status, count in (
        ("credits:consume", item, 201, 1),
        ("credits:consume", item, 200, 1),
        ("credits:consume", run(place, quantity="1000"), 402, 2),
        ("credits:authorize", asked(place), 200, 1),
    ):
        with statements() as sent:
            assert call("POST", path, body)[0] == status
        assert len(sent) == count, sent
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_the_hot_statements_are_prepared_once_in_each_connection(call: Call, place: Place) -> None:
    """Planning one costs four times its run."""
    for _ in range(2):
        call("POST", "credits:consume", run(place))
        call("POST", "credits:authorize", asked(place))
    with connection.cursor() as cursor:
        cursor.execute(r"SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'credits_(facts_3|consume_4)\('")
        assert cursor.fetchone() == (2,)


def test_the_story_of_a_product(call: Call, place: Place) -> None:
    user = make_user()
    status, denied = call("POST", "credits:authorize", asked(place, user_id=str(user.pk)))
    assert (status, denied["decision"], denied["code"]) == (200, "deny", "not_a_member")
    assert denied["decision_id"]
    make_membership(place.organization, user)
    wanted = asked(place, user_id=str(user.pk), hold={"ttl_seconds": 600})
    assert call("POST", "credits:authorize", wanted)[0] == 400
    _, allowed = call("POST", "credits:authorize", {**wanted, "idempotency_key": "hold"})
    assert (allowed["decision"], allowed["price"], allowed["held"]) == ("allow", "2.5", "2.5")
    hold = f"holds/{allowed['hold']['id']}"
    capture = {"idempotency_key": "c-1", "quantity": "1", "outcome": "succeeded"}
    assert call("POST", f"{hold}:capture", {**capture, "amount": "3", "quantity": None})[0] == 422
    capture["idempotency_key"] = "c-2"
    status, captured = call("POST", f"{hold}:capture", capture)
    assert (status, captured["charged"], captured["balance"], captured["held"]) == (201, "2.5", "97.5", "0")
    assert call("POST", f"{hold}:capture", capture)[0] == 200
    assert call("POST", f"{hold}:capture", {**capture, "idempotency_key": "c-3"})[0] == 409
    status, problem = call("POST", "credits:grant", {"bonus_type": "bonus", "idempotency_key": "g", "amount": "1"})
    assert status == 400
    assert "bonus_type" in {error["field"] for error in problem["errors"]}
    _, charged = call("POST", "credits:consume", run(place))
    reverse = {"idempotency_key": "r-1", "reason": "our fault"}
    status, back = call("POST", f"entries/{charged['entry_id']}:reverse", reverse)
    assert (status, back["reversed"], back["balance"]) == (201, "2.5", "97.5")
    assert call("POST", f"entries/{charged['entry_id']}:reverse", {**reverse, "idempotency_key": "r-2"})[0] == 409
    _, page = call("GET", f"accounts/organization/{place.organization.pk}/entries?limit=2")
    assert [entry["kind"] for entry in page["items"]] == ["reversal", "consumption"]
    assert page["next_cursor"]
    assert_sound()


@pytest.mark.parametrize(
    ("values", "status"),
    [
        *(({"quantity": text}, 422) for text in ("0", "1000000001")),
        *(({"quantity": odd}, 400) for odd in ("-1x", "NaN", "1e3", 1.5, 1, "1.0000001", None, True)),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, 422),
        ({"occurred_at": "2001-01-01T00:00:00Z"}, 422),
        ({"operation": "unknown"}, 422),
        ({"hold_id": str(uuid.uuid4())}, 404),
        ({"hold": {}}, 400),
        ({"workspace_id": str(uuid.uuid4())}, 404),
        ({"account": {"type": "organization", "id": str(uuid.uuid4())}}, 404),
        ({"idempotency_key": ""}, 422),
    ],
)
def test_bad_input_has_a_clear_answer_and_books_nothing(
    call: Call, place: Place, values: dict[str, Any], status: int
) -> None:
    before = CreditEntry.objects.count()
    answered, problem = call("POST", "credits:consume", run(place, **values))
    assert (answered, bool(problem["detail"])) == (status, True), problem
    assert CreditEntry.objects.count() == before


def test_a_batch_answers_each_item_by_itself(call: Call, place: Place) -> None:
    same = run(place)
    items: list[Any] = [
        same,
        run(place, quantity="0"),
        same,
        run(place, quantity="5000"),
        run(place),
        None,
        "run",
        [],
        7,
    ]
    status, answer = call("POST", "credits:consume-batch", {"items": items})
    assert (status, [result["status"] for result in answer["results"]]) == (200, [201, 422, 200, 402, 201, *[400] * 4])
    assert place.account.balance == 95_000_000
    # Whoever had no answer sends all of it again, what failed included.
    status, again = call("POST", "credits:consume-batch", {"items": items})
    assert [result["status"] for result in again["results"]] == [200, 422, 200, 402, 200, *[400] * 4]
    assert place.account.balance == 95_000_000
    for count in (0, 1_001):
        assert call("POST", "credits:consume-batch", {"items": [same] * count})[0] == 422
    assert_sound()


def test_a_person_has_an_account_from_the_first_grant_on(call: Call, place: Place) -> None:
    person = make_user()
    User.objects.filter(pk=person.pk).update(created_by_product=place.product)
    account = {"type": "user", "id": str(person.pk)}
    path = f"accounts/user/{account['id']}/balance"
    assert call("GET", path)[1]["balance"] == "0"
    assert call("POST", "credits:consume", run(place, account=account))[0] == 402
    grant = {"idempotency_key": "g-1", "account": account, "grant_type": "bonus", "amount": "10"}
    assert [call("POST", "credits:grant", grant)[0] for _ in range(2)] == [201, 200]
    assert call("POST", "credits:consume", run(place, account=account))[1]["balance"] == "7.5"
    assert call("GET", path)[1]["balance"] == "7.5"
    assert_sound()


def test_the_policy_is_answered_with_its_etag(client: Client, place: Place) -> None:
    headers = {"authorization": f"Bearer {make_token(place.product)}"}
    answer = client.get(f"{API}/credit-policies/red", headers=headers)
    assert answer.json()["operations"][0]["operation"] == "fix_run"
    again = client.get(f"{API}/credit-policies/red", headers={**headers, "if-none-match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
