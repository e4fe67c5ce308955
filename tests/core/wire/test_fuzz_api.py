"""Requests made up from the OpenAPI document: none is answered in the 500s, no unknown field is taken (spec 11, P9)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.access.world import World, make_world
from tests.sizes import size

REQUESTS = size(small=600, full=50_000)
DOCUMENT = json.loads(json.dumps(SchemaGenerator().get_schema(public=True), default=str))  # type: ignore[no-untyped-call]
RESULTS: list[Any] = list(schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
OPERATIONS = [result.ok() for result in RESULTS]
POSTS = [operation for operation in OPERATIONS if operation.method == "post"]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EACH = max(REQUESTS // (len(OPERATIONS) * len(MODES)), 1)
CALLERS = ("product token", "identity token", "cron token")
# A number that overflows, one beyond any column, full-width digits: what a lenient parser would take.
STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1e999, 10**30, "1_000", "\uff11\uff12", "\u0000", [], {}, -0.0]
)


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def send(world: World, caller: str, method: str, path: str, body: str) -> tuple[int, str]:
    """The answer to one request; what it changed is undone."""
    client = Client(raise_request_exception=False)
    headers = {"authorization": f"Bearer {world.tokens[caller]}"}
    with transaction.atomic():
        answer = client.generic(method, path, body, content_type="application/json" if body else "", headers=headers)
        transaction.set_rollback(True)
    return answer.status_code, answer.content.decode()


def path_of(case: Any) -> str:
    """The path with its parameters filled in, whatever they are."""
    path: str = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path


def body_of(case: Any) -> str:
    """The body as JSON; empty where the case has none that JSON can write."""
    try:
        return json.dumps(case.body) if isinstance(case.body, dict | list | str | int | float | None) else ""
    except (TypeError, ValueError):
        return ""


@pytest.mark.prove(
    "P9 made-up requests of every operation: 0 answers in the 500s", size=EACH * len(OPERATIONS) * len(MODES)
)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_made_up_request_breaks_us(world: World, operation: Any, mode: GenerationMode) -> None:
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), caller=st.sampled_from(CALLERS))
    def fuzz(case: Any, caller: str) -> None:
        status, text = send(world, caller, case.method, path_of(case), body_of(case))
        assert status < 500, (case.method, path_of(case), body_of(case), text)
        if status >= 400:
            assert json.loads(text)["status"] == status

    fuzz()


@pytest.mark.prove("P9 an unknown field is never taken, whatever it holds", size=EACH * len(POSTS))
@pytest.mark.parametrize("operation", POSTS, ids=lambda o: o.label)
def test_no_unknown_field_is_taken(world: World, operation: Any) -> None:
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), value=STRANGE)
    def fuzz(case: Any, value: object) -> None:
        body = dict(case.body) if isinstance(case.body, dict) else {}
        text = json.dumps({**body, "bonus_type": value})
        status, answer = send(world, "identity token", case.method, path_of(case), text)
        # Who may not is told so before the body is read; whoever may, that the field is unknown or the JSON is bad.
        assert status in {400, 403, 404}, (text, answer)

    fuzz()
