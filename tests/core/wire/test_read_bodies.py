"""Bodies: nothing is dropped in silence, and every refusal names its field (spec 05, Strict wire models)."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework import serializers
from rest_framework.test import APIRequestFactory

from apps.core.wire.schema import documented
from apps.core.wire.serializers import EmptyRequest, StrictSerializer, impossible
from apps.core.wire.views import InternalView
from tests.core.wire.bodies import GrantAnswer, GrantRequest, GrantView, NaiveGrant, errors_of, post

ID = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
MEMBER = {"user_id": ID, "role": "admin"}
GOOD = {"grant_type": "plan", "amount": "5", "note": None, "members": [MEMBER], "tags": ["a"]}

REFUSED: list[tuple[dict[str, Any], int, dict[str, str]]] = [
    ({"grant_type": "plan", "bonus_type": 1}, 400, {"bonus_type": "unknown_field"}),
    ({}, 400, {"grant_type": "required"}),
    ({"grant_type": None}, 400, {"grant_type": "null"}),
    ({"grant_type": "plan", "amount": 5}, 400, {"amount": "wrong_type"}),
    ({"grant_type": "plan", "amount": "-5"}, 422, {"amount": "out_of_range"}),
    ({"grant_type": 5, "amount": "-5"}, 400, {"grant_type": "wrong_type", "amount": "out_of_range"}),
    ({"grant_type": "plan", "members": {}}, 400, {"members": "wrong_type"}),
    ({"grant_type": "plan", "members": None}, 400, {"members": "null"}),
    ({"grant_type": "plan", "members": [MEMBER, {**MEMBER, "rule": "x"}]}, 400, {"members.1.rule": "unknown_field"}),
    ({"grant_type": "plan", "members": [{**MEMBER, "role": "boss"}]}, 400, {"members.0.role": "unknown_choice"}),
    ({"grant_type": "plan", "members": [5]}, 400, {"members.0": "wrong_type"}),
    ({"grant_type": "plan", "members": [MEMBER] * 4}, 422, {"members": "out_of_range"}),
    ({"grant_type": "plan", "first_member": {"role": "admin"}}, 400, {"first_member.user_id": "required"}),
    ({"grant_type": "plan", "first_member": []}, 400, {"first_member": "wrong_type"}),
    ({"grant_type": "plan", "tags": ["a", 1]}, 400, {"tags.1": "wrong_type"}),
    ({"grant_type": "plan", "tags": ["a"] * 3}, 422, {"tags": "out_of_range"}),
]


def test_a_good_body_is_read() -> None:
    response = post(GOOD)
    assert response.status_code == 200
    assert json.loads(response.content) == {"read": ["amount", "grant_type", "members", "note", "tags"]}


@pytest.mark.parametrize(("body", "status", "errors"), REFUSED, ids=lambda value: json.dumps(value)[:60])
def test_a_wrong_body_is_refused_by_field(body: dict[str, Any], status: int, errors: dict[str, str]) -> None:
    response = post(body)
    assert response.status_code == status
    assert errors_of(response) == errors


def test_an_unknown_field_is_answered_with_the_closest_known_name() -> None:
    problem = json.loads(post({"bonus_type": "plan", "grant_tpye": "plan", "xyzzy": 1}).content)
    suggestions = {error["field"]: error.get("suggestion") for error in problem["errors"]}
    assert suggestions["grant_tpye"] == "grant_type"
    assert suggestions["xyzzy"] is None
    assert "did you mean `grant_type`?" in str(problem["errors"])


def test_a_hundred_thousand_unknown_fields_get_a_short_answer() -> None:
    response = post({f"x{number}": 1 for number in range(50_000)})
    assert response.status_code == 400
    assert len(json.loads(response.content)["errors"]) <= 21


def test_control_a_naive_serializer_drops_and_converts() -> None:
    naive = NaiveGrant(data={"grant_type": "plan", "bonus_type": 1, "amount": 5})
    assert naive.is_valid()
    assert "bonus_type" not in naive.validated_data


def test_a_loose_field_in_a_strict_body_fails_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="reads loosely"):
        type("LooseRequest", (StrictSerializer,), {"count": serializers.IntegerField()})


def test_a_check_across_fields_may_be_impossible_or_malformed() -> None:
    class Checked(GrantRequest):
        def validate(self, attrs: Any) -> Any:
            raise impossible("amount", "out_of_range", "must be more than the note.")

    with pytest.raises(serializers.ValidationError) as caught:
        Checked(data=GOOD).run_validation(GOOD)
    assert getattr(caught.value, "impossible", None)


def test_query_parameters_are_strict_too() -> None:
    for query, status in {"limit=5": 200, "": 200, "limt=5": 400, "limit=5&limit=6": 400, "cursor=&x=1": 400}.items():
        response = GrantView.as_view()(APIRequestFactory().get(f"/grants?{query}"))
        assert response.status_code == status, query


def test_a_query_parameter_of_another_method_is_refused() -> None:
    request = APIRequestFactory().post(
        "/grants?limit=5", data=b'{"grant_type": "plan"}', content_type="application/json"
    )
    assert GrantView.as_view()(request).status_code == 400


def test_a_body_where_none_is_meant_is_refused() -> None:
    request = APIRequestFactory().generic("GET", "/grants", "{}", content_type="application/json")
    assert GrantView.as_view()(request).status_code == 400


class VerbView(GrantView):
    operations: ClassVar[dict[str, str]] = {"POST": "users.upsert", "GET": "users.upsert"}

    @documented(operation="users.upsert", request=EmptyRequest, responses={200: GrantAnswer})
    def post(self, request: Any) -> Any:
        return self.read(EmptyRequest, request) or super().get(request)


def test_a_verb_without_fields_takes_no_body_or_an_empty_one_and_nothing_else() -> None:
    assert [post(body, view=VerbView).status_code for body in (b"", {}, {"reason": "x"})] == [200, 200, 400]


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ({}, "names operations for"),
        ({"GET": "no.such"}, "unknown operation"),
        ({"GET": "members.read"}, "documented as"),
    ],
)
def test_a_view_that_names_no_known_operation_fails_when_it_is_made(operations: dict[str, str], message: str) -> None:
    @documented(operation="users.upsert", responses={200: GrantAnswer})
    def get(self: Any, request: Any) -> Any: ...

    with pytest.raises(ImproperlyConfigured, match=message):
        type("Undeclared", (InternalView,), {"get": get, "operations": operations})
