"""The quick reader of the hot calls reads what the strict parser reads, or leaves the body to it (spec 11, Facts)."""

from __future__ import annotations

import json

import pytest

from apps.core.errors import MalformedRequestError
from apps.core.wire.parser import DEEPEST, parse_object
from apps.core.wire.refusals import FieldRefusedError
from apps.credits.api.bodies import ConsumeBody
from apps.credits.api.hot import quick_object

_PLAIN = {"account": {"type": "user", "id": "u"}, "items": [{"a": "b", "n": None}, {}], "on": True, "ttl": 60, "": ""}
_LEFT = (
    b'{"a": "x", "a": "y"}',
    b'{"a": {"b": 1, "b": 2}}',
    b'{"items": [{"k": "1", "k": "1"}]}',
    b'{"a": 1.5}',
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b'{"a": "\\u0000"}',
    b'{"a\\u0062": 1, "ab": 2}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xff"}',
    b"[" * 5000,
    b'["a"]',
    b'"a"',
    b"",
    b"{",
    b'\xef\xbb\xbf{"a": "b"}',
)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_plain_body_is_read_as_the_strict_parser_reads_it(indent: int | None) -> None:
    body = json.dumps(_PLAIN, indent=indent).encode()
    assert quick_object(body) == parse_object(body) == _PLAIN


@pytest.mark.parametrize("body", _LEFT)
def test_whatever_two_readers_could_read_differently_is_left_to_the_strict_parser(body: bytes) -> None:
    assert quick_object(body) is None


@pytest.mark.parametrize("depth", [6, DEEPEST + 1, 500])
def test_a_body_deeper_than_any_consumption_is_no_consumption(depth: int) -> None:
    deep = quick_object(b'{"account": ' * depth + b"1" + b"}" * depth)
    with pytest.raises(FieldRefusedError):
        ConsumeBody.read(deep)


def test_the_strict_parser_then_refuses_a_key_that_stands_twice() -> None:
    with pytest.raises(MalformedRequestError, match="stands twice"):
        parse_object(_LEFT[0])
