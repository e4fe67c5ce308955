"""The strict parser refuses what two readers could understand differently (spec 11, Facts measured)."""

from __future__ import annotations

import io
import json
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rest_framework.parsers import JSONParser

from apps.core.errors import MalformedRequestError
from apps.core.wire.parser import DEEPEST, DEFAULT_BODY_LIMIT, parse_object
from tests.core.wire.bodies import GrantView, post

# Body -> a word of the refusal. The first five are what DRF's own parser lets through.
ACCEPTED_BY_DRF = {
    b'{"a": 1, "a": 2}': "twice",
    b'{"b": {"a": 1, "a": 2}}': "twice",
    b'{"a": 1e999}': "too large",
    b'{"a": [-1e999]}': "too large",
    b'{"a": "\\ud800"}': "surrogate",
    b'{"a": ["\\u0000"]}': "NUL",
    b'{"\\udfff": 1}': "surrogate",
    b"[]": "object",
    b'"text"': "object",
    b"null": "object",
    b'{"a": ' + b"9" * 200 + b"}": "too large",
    b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1): "deeper",
}
ALSO_MALFORMED = {
    b"": "empty",
    b" \n": "empty",
    b"{": "line 1",
    b'{"a": 1,\n "b": }': "line 2, column 7",
    b'{"a": NaN}': "NaN",
    b'{"a": -Infinity}': "Infinity",
    b'{"a": 01}': "line 1",
    b"{'a': 1}": "line 1",
    b'{"a": "\n"}': "control",
    b'{"a": 1} x': "line 1",
    b'\xef\xbb\xbf{"a": 1}': "BOM",
    b'{"a": "\xff"}': "UTF-8",
    b'{"a": "\xed\xa0\x80"}': "UTF-8",
    '{"a": "ä"}'.encode("utf-16"): "UTF-8",
    b"[" * 100_000: "deeper",
}


@pytest.mark.parametrize(
    ("body", "word"), [*ACCEPTED_BY_DRF.items(), *ALSO_MALFORMED.items()], ids=lambda v: str(v)[:30]
)
def test_an_ambiguous_body_is_refused_and_says_why(body: bytes, word: str) -> None:
    with pytest.raises(MalformedRequestError, match=word):
        parse_object(body)


@pytest.mark.parametrize("body", ACCEPTED_BY_DRF, ids=lambda body: str(body)[:30])
def test_control_the_usual_parser_takes_them(body: bytes) -> None:
    JSONParser().parse(io.BytesIO(body), "application/json", {})


JSON_VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**63)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(some.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda below: some.lists(below, max_size=4) | some.dictionaries(some.text("abc", max_size=3), below, max_size=4),
    max_leaves=12,
)


@given(some.dictionaries(some.text("abc", max_size=3), JSON_VALUES), some.booleans())
@pytest.mark.slow
def test_every_plain_object_is_read_as_it_is(value: dict[str, Any], ascii_only: bool) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_the_deepest_allowed_nesting_passes() -> None:
    assert parse_object(b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST)


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(MalformedRequestError) as caught:
        parse_object(b'{"amount": "1", "note": "", "amount": "2"}')
    assert [(error.field, error.code) for error in caught.value.errors] == [("amount", "duplicate_key")]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_415(content_type: str) -> None:
    assert post({"grant_type": "plan"}, content_type=content_type).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_in_utf_8_is_read(content_type: str) -> None:
    assert post({"grant_type": "plan"}, content_type=content_type).status_code == 200


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_read() -> None:
    body = b'{"grant_type": "plan"}'
    assert post(body.ljust(DEFAULT_BODY_LIMIT)).status_code == 200
    assert post(body.ljust(DEFAULT_BODY_LIMIT + 1)).status_code == 413


class RoomyView(GrantView):
    body_limit: ClassVar[int] = 2 * DEFAULT_BODY_LIMIT


def test_a_view_may_take_larger_bodies() -> None:
    assert post(b'{"grant_type": "plan"}'.ljust(2 * DEFAULT_BODY_LIMIT), view=RoomyView).status_code == 200


def test_a_missing_body_is_400() -> None:
    response = post(b"")
    assert response.status_code == 400
    assert "no body" in json.loads(response.content)["detail"]


def test_a_body_without_its_length_is_refused_rather_than_dropped() -> None:
    assert post(b"", HTTP_TRANSFER_ENCODING="chunked").status_code == 400
