"""The canonical form has golden vectors: a change of one of them would break every chain ever written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.audit.chain import GENESIS_HASH, EntryContent, entry_hash
from apps.core.canonical import NotCanonicalError, canonical_bytes, canonical_hash, plain
from apps.core.enums import Role

SOME_ID = UUID("0B5E8C1E-5B7E-4C2B-9C53-0D5E9A1F7A10")
BERLIN_SUMMER = timezone(timedelta(hours=2))

GOLDEN: list[tuple[object, str]] = [
    (None, "null"),
    (True, "true"),
    (0, "0"),
    (-(10**30), "-1000000000000000000000000000000"),
    ("", '""'),
    ('quote " backslash \\ tab \t line \n', '"quote \\" backslash \\\\ tab \\t line \\n"'),
    ("ü € 😀 \u2028", '"ü € 😀 \u2028"'),
    ("e\u0301", '"e\u0301"'),
    (Role.OWNER, '"owner"'),
    (SOME_ID, '"0b5e8c1e-5b7e-4c2b-9c53-0d5e9a1f7a10"'),
    (datetime(2026, 4, 3, 12, 0, 0, 5, tzinfo=BERLIN_SUMMER), '"2026-04-03T10:00:00.000005Z"'),
    (datetime(2026, 4, 3, 10, tzinfo=UTC), '"2026-04-03T10:00:00.000000Z"'),
    (datetime(33, 4, 3, 10, tzinfo=UTC), '"0033-04-03T10:00:00.000000Z"'),
    (date(2026, 4, 3), '"2026-04-03"'),
    (Decimal("12.50"), '"12.5"'),
    (Decimal("1E+3"), '"1000"'),
    (Decimal("-0.0"), '"0"'),
    ((1, [2, ()]), "[1,[2,[]]]"),
    ({"b": 1, "a": {"é": None, "Z": False}}, '{"a":{"Z":false,"é":null},"b":1}'),
]

REFUSED: list[object] = [
    1.0,
    float("nan"),
    {"a": [0.5]},
    datetime(2026, 4, 3),  # noqa: DTZ001 - that it names no moment is the case
    Decimal("NaN"),
    Decimal("Infinity"),
    {1: "a"},
    b"bytes",
    {1, 2},
    "nul \x00",
    "half \ud800",
    object(),
]

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("value", "text"), GOLDEN, ids=[text for _, text in GOLDEN])
def test_golden_vectors(value: object, text: str) -> None:
    assert canonical_bytes(value).decode() == text


@pytest.mark.parametrize("value", REFUSED, ids=range(len(REFUSED)))
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_bytes(value)


@given(JSON_VALUES)
def test_reading_back_and_writing_again_changes_nothing(value: object) -> None:
    written = canonical_bytes(value)
    assert canonical_bytes(json.loads(written)) == written
    assert canonical_bytes(plain(value)) == written


@given(st.dictionaries(st.text("abc", max_size=3), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    reordered = dict(reversed(value.items()))
    assert canonical_hash(reordered) == canonical_hash(value)


def test_golden_hash_of_an_entry() -> None:
    content = EntryContent(
        id=SOME_ID,
        organization_id=SOME_ID,
        sequence=1,
        event="membership.created",
        actor_kind="user",
        actor_id=str(SOME_ID),
        actor_label="ada@example.com",
        role="owner",
        authorization_source="session",
        target_type="membership",
        target_id=str(SOME_ID),
        workspace_id=None,
        reason="Joined the team",
        before={},
        after={"role": "member", "seats": 3},
        request_id="r-1",
        recorded_at=datetime(2026, 4, 3, 10, tzinfo=UTC),
        previous_hash=GENESIS_HASH,
    )
    assert entry_hash(content) == "2254b2fa7553dbd3ed671ca14697600fe9d67234940ef2b85baa9e6d51f3a190"
