"""The OpenAPI document says of every operation what it takes and every status that it answers (spec 08)."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

METHODS = {"get", "post", "put", "patch", "delete"}
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method in METHODS
]
EACH = pytest.mark.parametrize("operation", [o for _, o in OPERATIONS], ids=[name for name, _ in OPERATIONS])


def test_the_document_is_valid_and_made_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())
    assert DOCUMENT["openapi"].startswith("3.1")
    assert OPERATIONS


@EACH
def test_every_refusal_is_a_problem_document(operation: dict[str, Any]) -> None:
    refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    assert set(refusals) >= {"400", "401", "403", "429", "503"}
    for answer in refusals.values():
        content = answer["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["examples"]
        assert "X-Request-ID" in answer["headers"]
    assert "Retry-After" in refusals["429"]["headers"]
    assert operation["security"] == [{"serviceToken": []}]


@EACH
def test_a_body_is_closed_and_has_its_refusals(operation: dict[str, Any]) -> None:
    if "requestBody" not in operation:
        return
    assert set(operation["responses"]) >= {"413", "415", "422"}
    (media_type, content), *more = operation["requestBody"]["content"].items()
    assert (media_type, more) == ("application/json", [])
    name = content["schema"]["$ref"].rpartition("/")[2]
    assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False


@EACH
def test_every_body_and_answer_has_an_example(operation: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    answers = [answer for status, answer in operation["responses"].items() if status < "400"]
    for part in bodies + [answer for answer in answers if "content" in answer]:
        assert part["content"]["application/json"]["examples"]


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(names) == len(set(names))


def test_answers_are_open_to_new_fields() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    answers = [schema for name, schema in schemas.items() if name.endswith("Answer")]
    assert answers
    assert not any("additionalProperties" in schema for schema in answers)


def test_the_security_scheme_is_a_bearer_token() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["serviceToken"]["scheme"] == "bearer"


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.oai.openapi", "*/*"])
def test_the_document_is_served(accept: str) -> None:
    assert Client().get("/api/v1/schema/", headers={"Accept": accept}).status_code == 200


def test_the_page_keeps_to_the_strict_policy() -> None:
    response = Client().get("/api/v1/docs/")
    text = response.content.decode()
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=") == 2
    assert "//" not in text.replace("<!DOCTYPE html>", "")
