"""Which authorization response is accepted: the whole table of what may differ, and what the state gives away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.connectors.oauth.client import derive_verifier, digest, make_state, read_state
from apps.connectors.rules.authorization import VALID_FOR, Attempt, Callback, find_refusal, missing_scopes

NOW = datetime(2026, 4, 3, 10, 0, tzinfo=UTC)
ATTEMPT = Attempt(
    server="google",
    session_digest="s1",
    user_id=uuid4(),
    workspace_id=uuid4(),
    connector_id=uuid4(),
    expires_at=NOW + VALID_FOR,
    used_at=None,
)
CALLBACK = Callback(
    server="google",
    session_digest="s1",
    user_id=ATTEMPT.user_id,
    workspace_id=ATTEMPT.workspace_id,
    connector_id=ATTEMPT.connector_id,
    at=NOW + timedelta(minutes=9),
)
FAULTS: dict[str, tuple[object, dict[str, Any]]] = {
    "server": (CALLBACK, {"server": "another"}),
    "session": (CALLBACK, {"session_digest": "s2"}),
    "person": (CALLBACK, {"user_id": uuid4()}),
    "workspace": (CALLBACK, {"workspace_id": uuid4()}),
    "connector": (CALLBACK, {"connector_id": uuid4()}),
    "late": (CALLBACK, {"at": NOW + VALID_FOR}),
    "used": (ATTEMPT, {"used_at": NOW}),
}


def refusal_of(faults: Sequence[str]) -> str | None:
    attempt, returned = ATTEMPT, CALLBACK
    for fault in faults:
        subject, change = FAULTS[fault]
        if subject is ATTEMPT:
            attempt = replace(attempt, **change)
        else:
            returned = replace(returned, **change)
    return find_refusal(attempt, returned)


@pytest.mark.parametrize("faults", [c for n in range(8) for c in itertools.combinations(FAULTS, n)], ids="+".join)
def test_every_combination_of_faults(faults: tuple[str, ...]) -> None:
    refused = refusal_of(faults)
    assert (refused is None) == (not faults), f"{faults}: {refused}"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("server", "The authorization was started at another server."),
        ("session", "The authorization was started in another session."),
        ("person", "The authorization was started by another person."),
        ("workspace", "The authorization was started for another connector."),
        ("connector", "The authorization was started for another connector."),
        ("late", "The authorization took longer than 10 minutes."),
        ("used", "This authorization was already completed."),
    ],
)
def test_a_refusal_says_what_differs(fault: str, sentence: str) -> None:
    assert refusal_of([fault]) == sentence


def test_a_state_names_its_attempt_and_any_other_text_names_none() -> None:
    attempt_id = uuid4()
    state = make_state(attempt_id)
    assert read_state(state) == attempt_id
    assert make_state(attempt_id) != state
    for place in range(len(state)):
        mutated = state[:place] + ("A" if state[place] != "A" else "B") + state[place + 1 :]
        assert read_state(mutated) is None, mutated
    for other in ("", " ", state[:-1], state + "x", state * 9, str(attempt_id), "null", "a:b"):
        assert read_state(other) is None, other


def test_the_verifier_fits_rfc_7636_and_belongs_to_one_state() -> None:
    states = [make_state(uuid4()) for _ in range(50)]
    verifiers = {derive_verifier(state) for state in states}
    assert len(verifiers) == 50
    assert all(43 <= len(verifier) <= 128 and verifier.isascii() for verifier in verifiers)
    assert not any(verifier in state for verifier in verifiers for state in states)
    assert derive_verifier(states[0]) == derive_verifier(states[0])
    assert len(digest(states[0])) == 64


@pytest.mark.parametrize(
    ("granted", "missing"), [("a b", []), ("b  a a c", []), ("a", ["b"]), ("", ["a", "b"]), ("ab", ["a", "b"])]
)
def test_scopes_that_the_server_left_out(granted: str, missing: list[str]) -> None:
    assert missing_scopes(frozenset({"a", "b"}), granted) == missing
