"""The story of a product and its credits over real HTTP, with the transcript that a reader can follow (issue 4)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from apps.core.enums import Scope
from apps.subscriptions.models import DecisionReceipt
from tests.credits.cast import Place, assert_sound, give, make_place
from tests.factories.tenants import make_product, make_token, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]
MICRO = 1_000_000


@dataclass(slots=True)
class Talk:
    """A product that calls, and the transcript of what was said."""

    address: str
    session: requests.Session
    place: Place
    lines: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.lines.append(f"\n# {sentence}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        url = f"{self.address}/api/v1/internal/{path}"
        answer = self.session.request(method, url, json=body, timeout=30)
        said = answer.json() if answer.content else None
        self.lines.append(f"$ {method} /api/v1/internal/{path}")
        if body is not None:
            self.lines.append(f"  {json.dumps(body)}")
        self.lines.append(f"< {answer.status_code} {json.dumps(said)}")
        return answer.status_code, said

    def run(self, key: str, **values: Any) -> dict[str, Any]:
        body = {"idempotency_key": key, "account": self.account, "operation": "fix_run", "quantity": "1"}
        return {**body, "outcome": "succeeded", **values}

    @property
    def account(self) -> dict[str, str]:
        return {"type": "organization", "id": str(self.place.organization.pk)}

    @property
    def transcript(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def talk(live_server: LiveServer) -> Iterator[Talk]:
    place = make_place()
    give(place, 5 * MICRO)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {make_token(place.product)}"
        yield Talk(live_server.url, session, place)


def test_the_story_of_a_product(talk: Talk) -> None:
    policy_is_read_and_cached(talk)
    user = str(make_user().pk)
    denied_to_a_stranger(talk, user)
    talk.say("The person becomes a member.")
    members = f"organizations/{talk.place.organization.pk}/members:upsert"
    assert talk.call("POST", members, {"user_id": user, "role": "member"})[0] == 201
    held_and_captured(talk, user)
    refused_for_want_of_credits(talk)
    granted_after_a_misspelling(talk)
    consumed_and_reversed(talk)
    read_back(talk)
    assert_sound()
    print(talk.transcript)


def policy_is_read_and_cached(talk: Talk) -> None:
    talk.say("What does a run cost?")
    status, policy = talk.call("GET", "credit-policies/red")
    (price,) = [row for row in policy["operations"] if row["operation"] == "fix_run"]
    assert (status, policy["version"], price["unit_price"]) == (200, 1, "2.5")


def denied_to_a_stranger(talk: Talk, user: str) -> None:
    talk.say("May somebody who is no member run it? No, and here is why, with the receipt's id.")
    asked = {"account": talk.account, "operation": "fix_run", "quantity": "1", "user_id": user}
    status, denied = talk.call("POST", "credits:authorize", asked)
    assert (status, denied["decision"], denied["code"], denied["hold"]) == (200, "deny", "not_a_member", None)
    assert user in denied["explanation"][0]["fact"]
    receipt = DecisionReceipt.objects.get(pk=denied["decision_id"])
    assert (receipt.decision, receipt.code, receipt.policy_version) == ("deny", "not_a_member", 1)
    assert receipt.chain[0]["rule"] == "membership"
    status, refused = talk.call("POST", "credits:consume", talk.run("run-0", user_id=user))
    assert (status, refused["code"]) == (403, "not_a_member")
    assert refused["explanation"]


def held_and_captured(talk: Talk, user: str) -> None:
    talk.say("Now the credits are held before the run.")
    asked = {"account": talk.account, "operation": "fix_run", "quantity": "1", "user_id": user}
    status, allowed = talk.call(
        "POST", "credits:authorize", {**asked, "hold": {"ttl_seconds": 600}, "idempotency_key": "hold-1"}
    )
    assert (status, allowed["decision"], allowed["held"], allowed["available"]) == (200, "allow", "2.5", "2.5")
    assert DecisionReceipt.objects.filter(pk=allowed["decision_id"], decision="allow").exists()
    talk.say("The run used half of it; the rest is free again.")
    path = f"holds/{allowed['hold']['id']}:capture"
    wish = {"idempotency_key": "capture-1", "quantity": "0.5", "outcome": "succeeded"}
    status, captured = talk.call("POST", path, wish)
    assert (status, captured["charged"], captured["balance"], captured["held"]) == (201, "1.25", "3.75", "0")
    talk.say("The answer got lost, so the product sends it again: the same answer, no second charge.")
    status, again = talk.call("POST", path, wish)
    assert (status, again) == (200, {**captured, "replayed": True})
    talk.say("With another key it is a second capture, and a hold is captured once.")
    status, problem = talk.call("POST", path, {**wish, "idempotency_key": "capture-2"})
    assert (status, "hold" in problem["detail"]) == (409, True)


def refused_for_want_of_credits(talk: Talk) -> None:
    talk.say("Two runs cost more than there is.")
    status, refused = talk.call("POST", "credits:consume", talk.run("run-1", quantity="2"))
    assert (status, refused["code"]) == (402, "insufficient_credits")
    assert "5 is due and 3.75 is available" in refused["explanation"][-1]["fact"]


def granted_after_a_misspelling(talk: Talk) -> None:
    talk.say("A grant with a misspelt field is refused, with the name that was meant.")
    body = {"idempotency_key": "grant-1", "account": talk.account, "bonus_type": "bonus", "amount": "20"}
    status, problem = talk.call("POST", "credits:grant", body)
    errors = {error["field"]: error for error in problem["errors"]}
    assert status == 400
    assert errors["bonus_type"]["suggestion"] == "grant_type"
    assert errors["bonus_type"]["message"] == "unknown field `bonus_type`; did you mean `grant_type`?"
    assert talk.call("GET", f"accounts/organization/{talk.account['id']}/balance")[1]["balance"] == "3.75"
    talk.say("With the right name it is given.")
    body["grant_type"] = body.pop("bonus_type")
    status, granted = talk.call("POST", "credits:grant", body)
    assert (status, granted["balance"], granted["replayed"]) == (201, "23.75", False)
    talk.say("What was refused stays refused with its key.")
    assert talk.call("POST", "credits:consume", talk.run("run-1", quantity="2"))[0] == 402


def consumed_and_reversed(talk: Talk) -> None:
    talk.say("A new request is a new key.")
    status, charged = talk.call("POST", "credits:consume", talk.run("run-2", quantity="2"))
    assert (status, charged["charged"], charged["balance"]) == (201, "5", "18.75")
    assert talk.call("POST", "credits:consume", talk.run("run-2", quantity="2"))[0] == 200
    talk.say("The same key for another run is refused.")
    assert talk.call("POST", "credits:consume", talk.run("run-2", quantity="3"))[0] == 422
    talk.say("The run was our fault: it is given back in parts, and never more than was charged.")
    wish = {"idempotency_key": "reverse-1", "reason": "the run failed on our side", "amount": "1"}
    path = f"entries/{charged['entry_id']}:reverse"
    status, back = talk.call("POST", path, wish)
    assert (status, back["reversed"], back["remaining"], back["balance"]) == (201, "1", "4", "19.75")
    status, _ = talk.call("POST", path, {**wish, "idempotency_key": "reverse-2", "amount": "4.5"})
    assert status == 422
    status, back = talk.call("POST", path, {**wish, "idempotency_key": "reverse-3", "amount": "4"})
    assert (status, back["remaining"], back["balance"]) == (201, "0", "23.75")
    status, problem = talk.call("POST", path, {**wish, "idempotency_key": "reverse-4"})
    assert (status, problem["code"]) == (409, "already_reversed")


def read_back(talk: Talk) -> None:
    talk.say("What is there now, and what happened.")
    account = f"accounts/organization/{talk.account['id']}"
    status, balance = talk.call("GET", f"{account}/balance")
    assert (status, balance["balance"], balance["held"], balance["available"]) == (200, "23.75", "0", "23.75")
    kinds: list[str] = []
    cursor = ""
    while cursor is not None:
        _, page = talk.call("GET", f"{account}/entries?limit=2{f'&cursor={cursor}' if cursor else ''}")
        kinds += [entry["kind"] for entry in page["items"]]
        cursor = page["next_cursor"]
    assert kinds == ["reversal", "reversal", "consumption", "grant", "capture", "grant"]


def test_another_product_learns_nothing(talk: Talk) -> None:
    other = make_token(make_product("blue"), Scope.CREDITS_WRITE)
    talk.session.headers["Authorization"] = f"Bearer {other}"
    status, problem = talk.call("POST", "credits:consume", talk.run(uuid.uuid4().hex))
    assert (status, problem["code"]) == (403, "product_not_related")
