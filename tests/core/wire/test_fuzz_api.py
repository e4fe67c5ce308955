"""Requests made up from the OpenAPI document: none is answered in the 500s, no unknown field is taken (spec 11, P9).

Two ways to make them up: from a sound request of each operation, with parts exchanged, so that most get past who may;
and by schemathesis, from the document alone. Both run over data that is there, and what a request changes is undone.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.tenants.models import Product
from tests.access.routes import api_routes
from tests.access.world import World, make_world, request_of
from tests.core.wire.document import DOCUMENT
from tests.core.wire.fuzzing import MadeUp, Sound, made_up
from tests.factories.tenants import make_token
from tests.sizes import size

SEED = os.environ.get("FUZZ_SEED", "countinghouse")
EXCHANGED = size(small=600, full=40_000)
BY_SCHEMATHESIS = size(small=120, full=10_000)


def lightened(schema: Any) -> Any:
    """The document without the patterns of free text: to make up text that misses them takes seconds a piece, and the
    exchanged parts above miss them often enough.
    """
    if isinstance(schema, list):
        return [lightened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    is_free = str(schema.get("pattern", "")).startswith("^[^")
    return {name: lightened(part) for name, part in schema.items() if not (is_free and name == "pattern")}


RESULTS: list[Any] = list(schemathesis.openapi.from_dict(lightened(DOCUMENT)).get_all_operations())
OPERATIONS = [result.ok() for result in RESULTS]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EACH = max(BY_SCHEMATHESIS // (len(OPERATIONS) * len(MODES)), 1)
QUERIES = {"entries": {"cursor": "x", "limit": "50"}, "connectors": {"cursor": "x", "limit": "50"}}
LENIENT = "taken by a reader that drops what it does not know"


@pytest.fixture(scope="module")
def lasting_world(lasting_db: None) -> World:
    """The world made once for all operations."""
    return make_world()


@pytest.fixture
def world(lasting_world: World, db: None) -> World:
    return lasting_world


class Sender:
    """Sends requests of every kind of caller; what each changed is undone."""

    def __init__(self, world: World) -> None:
        # Ends grace periods, which is none of the default scopes.
        payer = make_token(Product.objects.get(slug="red"), *DEFAULT_PRODUCT_SCOPES, Scope.PAYMENTS_WRITE)
        self._tokens = {**world.tokens, "paying product": payer}
        self._clients = {name: Client(raise_request_exception=False) for name in self._tokens}
        self.statuses: Counter[int] = Counter()

    def send(self, caller: str, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        headers = {"authorization": f"Bearer {self._tokens[caller]}"}
        # No block of its own: a service that must be the outermost transaction is so in production.
        point = transaction.savepoint()
        answer = self._clients[caller].generic(method, path, body, content_type=content_type, headers=headers)
        transaction.savepoint_rollback(point)
        transaction.savepoint_commit(point)  # else it stays open
        self.statuses[answer.status_code] += 1
        return answer.status_code, answer.content


def sound_requests(world: World) -> list[Sound]:
    """Every operation with data that lets it through."""
    found = []
    for route in api_routes():
        arguments, body = request_of(route.name, world.tenants["own"], world)
        for method in route.operations:
            sent = None if method in {"GET", "DELETE"} else body
            query = QUERIES.get(route.name, {}) if method == "GET" else {}
            found.append(Sound(route.name, method, reverse(route.name, kwargs=arguments), sent, query))
    return found


def callers_of(request: Sound) -> tuple[str, ...]:
    if request.route in {"job-run", "job-run-detail"}:
        return ("cron token",)
    if request.route == "end-grace-period":
        return ("paying product", "product token")
    return ("product token", "product token", "product token", "identity token")


def wrong_with(request: MadeUp, status: int, answer: bytes) -> str:
    """What may not be about the answer; empty where nothing is wrong."""
    if status >= 500:
        return "an answer in the 500s"
    if status >= 400 and json.loads(answer)["status"] != status:
        return "no problem document"
    if status < 300 and request.has_unknown:
        return LENIENT
    return ""


@pytest.mark.prove("P9 sound requests with parts exchanged: 0 in the 500s, 0 fields dropped", size=EXCHANGED)
def test_no_request_with_parts_exchanged_breaks_us(world: World) -> None:
    sender, sounds = Sender(world), sound_requests(world)
    wrong = []
    for number, request in enumerate(itertools.islice(made_up(SEED, sounds), EXCHANGED)):
        callers = callers_of(request.sound)
        caller = callers[(number // len(sounds)) % len(callers)]
        status, answer = sender.send(caller, request.sound.method, request.path, request.body, request.content_type)
        problem = wrong_with(request, status, answer)
        if problem:
            wrong.append((problem, str(request), status, answer[:500]))
    print(f"P9: seed {SEED!r}, {EXCHANGED} requests, answers {dict(sorted(sender.statuses.items()))}")
    assert wrong == []
    # The data let them through: else only refusals of strangers would be tried.
    done = sum(count for status, count in sender.statuses.items() if status < 300)
    unseen = sum(count for status, count in sender.statuses.items() if status in {401, 403, 404})
    assert done > EXCHANGED // 20
    assert unseen < EXCHANGED // 2


@pytest.mark.slow
def test_every_sound_request_is_let_through(world: World) -> None:
    sender, refused = Sender(world), []
    for request in sound_requests(world):
        if request.route == "membership-snapshot":
            continue  # asks for what was pushed before; its pushing is let through
        body = json.dumps(request.body, default=str).encode() if request.body is not None else b""
        answers = {
            caller: sender.send(caller, request.method, request.path, body, "application/json" if body else "")
            for caller in set(callers_of(request))
        }
        if all(status in {401, 403, 404} for status, _ in answers.values()):
            refused.append((request, answers))
    assert refused == []


def test_a_reader_that_drops_unknown_fields_is_found(world: World) -> None:
    [sound] = [request for request in sound_requests(world) if request.route == "users-upsert"]
    unknown = next(request for request in made_up(SEED, [sound]) if request.has_unknown)
    assert wrong_with(unknown, 201, b"{}") == LENIENT
    assert wrong_with(unknown, 500, b"{}") == "an answer in the 500s"
    assert wrong_with(unknown, 400, b'{"status": 404}') == "no problem document"


def path_of(case: Any) -> str:
    """The path with its parameters filled in, whatever they are."""
    path: str = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path


def body_of(case: Any) -> bytes:
    """The body as JSON; empty where the case has none that JSON can write."""
    try:
        return json.dumps(case.body).encode() if isinstance(case.body, dict | list | str | int | float | None) else b""
    except (TypeError, ValueError):
        return b""


@pytest.mark.prove("P9 requests by schemathesis: 0 answers in the 500s", size=EACH * len(OPERATIONS) * len(MODES))
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_request_of_schemathesis_breaks_us(lasting_world: World, operation: Any, mode: GenerationMode) -> None:
    sender = Sender(lasting_world)

    @seed(int.from_bytes(SEED.encode()[:8]))
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        caller=st.sampled_from(["product token", "identity token", "cron token"]),
    )
    def fuzz(case: Any, caller: str) -> None:
        body = body_of(case)
        content_type = "application/json" if body else ""
        status, answer = sender.send(caller, case.method.upper(), path_of(case), body, content_type)
        assert status < 500, (case.method, path_of(case), body, answer)
        if status >= 400:
            assert json.loads(answer)["status"] == status

    fuzz()
