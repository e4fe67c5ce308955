"""Drives the real HTTP API through what a product does with a member, in a synthetic organization (spec 02)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core.outgoing import Call, OutgoingError, outgoing_call
from apps.tenants.services.cutover import CheckLine

_API = "/api/v1/internal/"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the calls go, with which token, and about what."""

    base_url: str
    token: str = field(repr=False)
    organization_id: UUID
    operation: str


class UnexpectedAnswerError(Exception):
    """The API answered something else than the step expects; the sentence says what."""


def drive(stage: Stage) -> Iterator[CheckLine]:
    """Each step's line, in their order; the first failed one ends it, since the others rest on it."""
    user_id = uuid.uuid4()
    steps: list[tuple[str, Callable[[Stage, UUID], str]]] = [
        ("A new user signs up", _sign_up),
        ("The invitation is reported once, and again", _report),
        ("The member may run", _authorize),
        ("The run is charged once, though reported twice", _consume),
        ("Once removed, the next run is refused, and says why", _remove),
    ]
    for name, step in steps:
        try:
            yield CheckLine(name, "passed", step(stage, user_id))
        except (UnexpectedAnswerError, OutgoingError) as error:
            yield CheckLine(name, "failed", str(error))
            return


def _sign_up(stage: Stage, user_id: UUID) -> str:
    email = f"cutover-check-{user_id.hex[:12]}@example.com"
    _ask(stage, "POST", "users:upsert", 201, {"id": str(user_id), "email": email, "name": "Cutover check"})
    return "201"


def _report(stage: Stage, user_id: UUID) -> str:
    path, body = f"organizations/{stage.organization_id}/members:upsert", {"user_id": str(user_id), "role": "member"}
    _ask(stage, "POST", path, 201, body)
    _ask(stage, "POST", path, 200, body)
    return "201, then 200"


def _authorize(stage: Stage, user_id: UUID) -> str:
    answer = _ask(stage, "POST", "credits:authorize", 200, _question(stage, user_id))
    if (answer["decision"], answer["decided_by"]) != ("allow", "central"):
        raise UnexpectedAnswerError(f"{answer['decision']} ({answer['code']}), decided by {answer['decided_by']}")
    return f"allowed at {answer['price']} credits"


def _consume(stage: Stage, user_id: UUID) -> str:
    body = {**_question(stage, user_id), "idempotency_key": f"cutover-{user_id}", "outcome": "succeeded"}
    first = _ask(stage, "POST", "credits:consume", 201, body)
    again = _ask(stage, "POST", "credits:consume", 200, body)
    if (first["entry_id"], first["balance"]) != (again["entry_id"], again["balance"]):
        raise UnexpectedAnswerError(f"balance {first['balance']}, then {again['balance']}")
    return f"{first['charged']} credits, balance {again['balance']}"


def _remove(stage: Stage, user_id: UUID) -> str:
    _ask(stage, "DELETE", f"organizations/{stage.organization_id}/members/{user_id}", 204)
    answer = _ask(stage, "POST", "credits:authorize", 200, _question(stage, user_id))
    rules = [reason["rule"] for reason in answer["explanation"] if reason["outcome"] == "deny"]
    if (answer["decision"], answer["code"], rules) != ("deny", "not_a_member", ["membership"]):
        raise UnexpectedAnswerError(
            f"{answer['decision']} ({answer['code']}), denied by {', '.join(rules) or 'nothing'}"
        )
    return "denied: not_a_member"


def _question(stage: Stage, user_id: UUID) -> dict[str, Any]:
    account = {"type": "organization", "id": str(stage.organization_id)}
    return {"account": account, "operation": stage.operation, "quantity": "1", "user_id": str(user_id)}


def _ask(stage: Stage, method: str, path: str, expected: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = outgoing_call(
        Call(
            url=f"{stage.base_url.rstrip('/')}{_API}{path}",
            method=method,
            json=body,
            secret_headers={"Authorization": f"Bearer {stage.token}"},
            is_guarded=False,
            is_repeatable=False,
            is_to_product=True,
            seconds=30,
        )
    )
    if answer.status != expected:
        said = answer.body[:300].decode("utf-8", errors="replace")
        raise UnexpectedAnswerError(f"{method} {path} answered {answer.status}, not {expected}: {said}")
    found = json.loads(answer.body) if answer.body else {}
    return found if isinstance(found, dict) else {}
