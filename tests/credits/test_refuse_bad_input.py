"""Bad input over real HTTP: a clear answer, and the ledger is byte for byte what it was (spec 05)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from django.db import connection, transaction
from pytest_django.live_server_helper import LiveServer

from apps.core import clock
from apps.core.ids import ProductId
from apps.core.locks import lock_number
from apps.credits.contracts import scope_of
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_draft, credit_policy_publish_prices
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits import bad_input
from tests.credits.bad_input import Body, Case, Scene, capture, grant, question, reverse, run
from tests.credits.cast import PRICES, Place, assert_sound, make_place
from tests.factories.tenants import make_organization, make_product, make_token

pytestmark = pytest.mark.django_db(transaction=True)
_LEDGER = ("creditaccount", "creditentry", "creditgrant", "grantburn", "uncoveredcharge", "hold", "freequantity")
Send = Callable[..., requests.Response]


def fingerprint() -> str:
    """One hash of all that stands in the ledger."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in _LEDGER:
            cursor.execute(f"SELECT t::text FROM credits_{table} t ORDER BY 1")
            digest.update(repr((table, cursor.fetchall())).encode())
    return digest.hexdigest()


@pytest.fixture
def place() -> Place:
    found = make_place(whole_credits=100)
    drafted = (*PRICES, Price("drafted", "run", 1))
    credit_policy_draft(console_context(), product_id=ProductId(found.product.pk), prices=drafted)
    return found


@pytest.fixture
def send(live_server: LiveServer, place: Place) -> Iterator[Send]:
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"

        def call(path: str, body: Body | str, token: str = make_token(place.product)) -> requests.Response:
            data = body if isinstance(body, str) else json.dumps(body)
            headers = {"Authorization": f"Bearer {token}"}
            address = f"{live_server.url}/api/v1/internal/{path}"
            return session.post(address, data=data.encode(), headers=headers, timeout=60)

        yield call


@pytest.fixture
def scene(send: Send, place: Place) -> Scene:
    account = {"type": "organization", "id": str(place.organization.pk)}
    other = make_product("blue", place.organization)
    credit_policy_publish_prices(console_context(), product_id=ProductId(other.pk), prices=PRICES)
    closed = make_organization("Closed")
    make_product("red", closed)
    Organization.objects.filter(pk=closed.pk).update(closed_at=clock.now())
    empty = Scene(account, {"type": "organization", "id": str(closed.pk)}, "", "", "", "", "used", "", "", "")
    held = question(empty, hold={"ttl_seconds": 3_600})
    mine, ended = (
        send("credits:authorize", {**held, "idempotency_key": key}).json()["hold"]["id"] for key in ("mine", "ended")
    )
    theirs = send("credits:authorize", {**held, "idempotency_key": "theirs"}, token=make_token(other)).json()["hold"][
        "id"
    ]
    assert send(f"holds/{ended}:release", {"idempotency_key": "released"}).status_code == 200
    entry = send("credits:consume", run(empty, idempotency_key="used")).json()["entry_id"]
    twice = send("credits:consume", run(empty)).json()["entry_id"]
    assert send(f"entries/{twice}:reverse", reverse()).status_code == 201
    gift = send("credits:grant", grant(empty)).json()["entry_id"]
    free = send("credits:consume", run(empty, outcome="failed")).json()["entry_id"]
    return Scene(account, empty.closed, mine, theirs, ended, entry, "used", twice, gift, free)


def fault_of(case: Case, answer: requests.Response) -> str | None:
    """What of the answer is not as the table says."""
    problem: dict[str, Any] = answer.json()
    errors = problem.get("errors", [])
    said = " ".join([problem.get("detail", ""), *(error["message"] for error in errors)])
    codes = {problem.get("code"), *(error["code"] for error in errors if case.field in {None, error["field"]})}
    checks = {
        "status": answer.status_code == case.status,
        "type": answer.headers["Content-Type"] == "application/problem+json",
        "code": case.code in codes,
        "field": case.field is None or case.field in {error["field"] for error in errors},
        "remedy": bool(said.strip()) and case.remedy in said,
    }
    wrong = [name for name, is_right in checks.items() if not is_right]
    return f"{case.path} {case.name}: {wrong} in {answer.status_code} {problem}" if wrong else None


@pytest.mark.parametrize("group", bad_input.GROUPS)
@pytest.mark.slow
def test_each_bad_input_is_answered_clearly_and_books_nothing(send: Send, scene: Scene, group: str) -> None:
    cases: list[Case] = list(getattr(bad_input, group)(scene))
    faults: list[str] = []
    before = fingerprint()
    for case in cases:
        answer = send(case.path, case.body)
        faults += [fault for fault in [fault_of(case, answer)] if fault]
        if fingerprint() != before:
            faults.append(f"{case.path} {case.name}: the ledger changed")
            before = fingerprint()
    assert not faults, "\n".join(faults)
    assert_sound()


@pytest.mark.slow
def test_a_key_in_flight_is_asked_to_come_again(send: Send, scene: Scene, place: Place) -> None:
    hold, entry = f"holds/{scene.hold}", f"entries/{scene.entry}"
    held = question(scene, hold={"ttl_seconds": 60}, idempotency_key="busy")
    calls: list[tuple[str, Body]] = [
        ("credits:consume", run(scene, idempotency_key="busy")),
        ("credits:authorize", held),
        ("credits:grant", grant(scene, idempotency_key="busy")),
        (f"{hold}:capture", capture(idempotency_key="busy")),
        (f"{hold}:release", {"idempotency_key": "busy"}),
        (f"{entry}:reverse", reverse(idempotency_key="busy")),
    ]
    before = fingerprint()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s)", [lock_number(f"idempotency\x1f{scope_of(place.context)}\x1fbusy")]
        )
        for path, body in calls:
            answer = send(path, body)
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_flight"), path
            assert answer.headers["Retry-After"] == "1"
        results = send("credits:consume-batch", {"items": [calls[0][1], run(scene, operation="none")]}).json()[
            "results"
        ]
        assert [result["status"] for result in results] == [409, 422]
    assert fingerprint() == before
    assert send(*calls[0]).status_code == 201  # nothing is left behind of the refusals


@pytest.mark.slow
def test_a_batch_answers_each_bad_item_in_its_place(send: Send, scene: Scene) -> None:
    bad: list[tuple[Body, int, str]] = [
        (run(scene, quantity="0"), 422, "impossible_value"),
        (run(scene, quantity=1.5), 400, "malformed_request"),
        (run(scene, operation="fix_rum"), 422, "unknown_operation"),
        (run(scene, zzz=1), 400, "malformed_request"),
        (run(scene, idempotency_key="used", quantity="9"), 422, "idempotency_key_reused"),
        (run(scene, account=scene.closed), 403, "lifecycle_denied"),
        (run(scene, hold_id=scene.other_hold), 403, "hold_of_another_product"),
        (run(scene, quantity="1000"), 402, "insufficient_credits"),
        ({}, 400, "malformed_request"),
    ]
    before = fingerprint()
    results = send("credits:consume-batch", {"items": [body for body, _, _ in bad]}).json()["results"]
    found = [(result["status"], result["problem"]["code"]) for result in results]
    assert found == [(status, code) for _, status, code in bad]
    assert fingerprint() == before
    good, other = run(scene, idempotency_key="twin"), run(scene, idempotency_key="twin", quantity="2")
    results = send("credits:consume-batch", {"items": [bad[0][0], good, good, other]}).json()["results"]
    assert [result["status"] for result in results] == [422, 201, 200, 422]
    assert results[1]["body"]["entry_id"] == results[2]["body"]["entry_id"]
    assert_sound()


@pytest.mark.slow
def test_a_denial_of_authorize_is_an_answer(send: Send, scene: Scene) -> None:
    for values, code in (
        ({"operation": "fix_rum"}, "unknown_operation"),
        ({"operation": "drafted"}, "unknown_operation"),
        ({"account": scene.closed}, "lifecycle_denied"),
        ({"quantity": "1000"}, "insufficient_credits"),
        ({"quantity": "1000000000"}, "charge_too_large"),
        ({"user_id": str(uuid.uuid4())}, "not_a_member"),
    ):
        before = fingerprint()
        answer = send("credits:authorize", question(scene, **values))
        said = answer.json()
        assert (answer.status_code, said["decision"], said["code"], said["hold"]) == (200, "deny", code, None)
        assert said["decision_id"]
        assert any(step["outcome"] == "deny" for step in said["explanation"])
        assert fingerprint() == before
