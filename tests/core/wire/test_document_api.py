"""The OpenAPI document says of every operation what it takes and every status that it answers (spec 08)."""

from __future__ import annotations

import io
import json
import re
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.core.wire.document import DOCUMENT
from tests.factories.tenants import make_product, make_token

SCHEMES = ("serviceToken", "cronToken", "session")
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method in METHODS
]
EACH = pytest.mark.parametrize("operation", [o for _, o in OPERATIONS], ids=[name for name, _ in OPERATIONS])


@pytest.mark.slow
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
    assert {name for scheme in operation["security"] for name in scheme} <= set(SCHEMES)


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


@EACH
def test_every_operation_has_a_summary_and_a_declared_tag(operation: dict[str, Any]) -> None:
    assert 8 < len(operation["summary"]) < 120
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}


def test_summaries_are_unique_and_tags_have_one_spelling() -> None:
    summaries = [operation["summary"] for _, operation in OPERATIONS]
    assert len(summaries) == len(set(summaries))
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert tags == {tag for _, operation in OPERATIONS for tag in operation["tags"]}
    assert not {tag for tag in tags if f"{tag}s" in tags}


def test_jobs_are_started_by_a_cron_token_or_a_session() -> None:
    for path, method in (("jobs/{name}:run", "post"), ("job-runs/{job_run_id}", "get")):
        operation = DOCUMENT["paths"][f"/api/v1/internal/{path}"][method]
        assert operation["security"] == [{"cronToken": []}, {"session": []}]


@pytest.mark.django_db
def test_the_examples_of_problems_are_the_server_s() -> None:
    """The title, type and code of each example are those of a real answer."""
    client = Client()
    token = {"authorization": f"Bearer {make_token(make_product('red'))}"}
    users, upsert = "/api/v1/internal/users:upsert", DOCUMENT["paths"]["/api/v1/internal/users:upsert"]["post"]
    answers = [
        client.post(users, {}, "application/json"),
        client.post(users, {"x": 1}, "application/json", headers=token),
        client.post(users, "x", "text/plain", headers=token),
        client.post(users, b" " * 1_100_000, "application/json", headers=token),
        client.get(f"/api/v1/internal/organizations/{uuid.uuid4()}/payment-config", headers=token),
    ]
    assert [answer.status_code for answer in answers[:4]] == [401, 400, 415, 413]
    for answer in answers[:4]:
        content = upsert["responses"][str(answer.status_code)]["content"]["application/problem+json"]
        [example] = [found["value"] for found in content["examples"].values()]
        real = answer.json()
        assert {name: example[name] for name in ("type", "title", "status", "code")} == {
            name: real[name] for name in ("type", "title", "status", "code")
        }
        assert set(example) <= {*real, "explanation"}


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.oai.openapi", "application/yaml", "*/*"])
def test_the_document_is_served(accept: str) -> None:
    answer = Client().get("/api/v1/schema/", headers={"Accept": accept})
    assert answer.status_code == 200
    # As JSON: readers of YAML take texts such as 41e8 for numbers.
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.content)["openapi"] == DOCUMENT["openapi"]


def test_the_page_keeps_to_the_strict_policy() -> None:
    response = Client().get("/api/v1/docs/")
    text = response.content.decode()
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=") == 2
    assert "//" not in text.replace("<!DOCTYPE html>", "")


@EACH
def test_every_parameter_but_a_cursor_has_an_example_of_its_form(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if parameter["name"] == "cursor":
            continue
        example, schema = parameter["example"], parameter["schema"]
        assert re.fullmatch(schema.get("pattern", ".*"), str(example)), parameter["name"]
        assert example in schema.get("enum", [example])


def test_every_tag_is_described_in_a_sentence() -> None:
    for tag in DOCUMENT["tags"]:
        assert tag["description"].lower() != f"{tag['name'].replace('_', ' ')}.", tag


def test_no_text_looks_like_a_number_to_a_reader_of_yaml() -> None:
    """Our YAML leaves it unquoted, and YAML 1.2 reads 41e8 as a number."""
    assert not re.findall(r'"[0-9]+[eE][0-9]+"', json.dumps(DOCUMENT))


def test_the_document_says_under_what_licence_and_whom_to_ask(settings: Any) -> None:
    """Linters of others miss them: redocly's info-license-strict, spectral's info-contact."""
    assert set(DOCUMENT["info"]["license"]) == {"name", "identifier"}
    for contact, expected in (("", None), ("Billing <billing@countinghouse.example>", "billing@countinghouse.example")):
        settings.SUPPORT_CONTACT = contact
        info = SchemaGenerator().get_schema(public=True)["info"]  # type: ignore[no-untyped-call]
        assert info.get("contact", {}).get("email") == expected
