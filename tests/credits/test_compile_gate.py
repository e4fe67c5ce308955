"""The gate of consumption that the database reads, against the lifecycle resolver, for every combination of facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.core.enums import LifecycleNeed, Role
from apps.core.operations import OPERATIONS
from apps.credits.rules import decision as gate_rules
from apps.credits.rules.decision import CompiledGate, compile_gate
from apps.subscriptions.rules.lifecycle import LifecycleFacts, resolve
from tests.subscriptions import spec_lifecycle
from tests.subscriptions.test_resolve_lifecycle import COMBINATIONS, every_combination

LETTERS = {"y": "yes", "w": "with a warning", "g": "from grants only", "o": "owner only", "n": "no"}
Place = tuple[bool, str, str, str, str, bool]


def place_of(facts: LifecycleFacts) -> Place:
    """What the database knows of the facts: closed, payment, state of the record, overlay, status, only named ones."""
    return (
        facts.organization_closed_at is not None,
        facts.payment_status.value,
        facts.subscription.state.value if facts.subscription else "",
        facts.overlay.value if facts.overlay else "",
        facts.subscription_status.value,
        facts.only_named_workspaces,
    )


def letter_at(gate: CompiledGate, place: Place) -> str:
    """The letter of a combination, found by counting: the last axis turns fastest."""
    index = int(place[0])
    for axis, value in zip((gate.payments, gate.states, gate.overlays, gate.statuses), place[1:5], strict=True):
        index = index * len(axis) + axis.index(value)
    return gate.letters[index * 2 + int(place[5])]


def disagreements(gate: CompiledGate) -> Iterator[Place]:
    cells = spec_lifecycle.allowed()
    for facts in every_combination():
        place = place_of(facts)
        state, _ = spec_lifecycle.lifecycle(place[1], place[4], place[2] or None, place[3] or None, place[0], place[5])
        said = LETTERS[letter_at(gate, place)]
        if not said == cells[state, "consume"] == resolve(facts).allowance(LifecycleNeed.CONSUME).value:
            yield place


def test_there_is_one_letter_for_every_combination() -> None:
    assert len(compile_gate().letters) == COMBINATIONS
    assert {place_of(facts) for facts in every_combination()} == {
        (is_closed, payment, state, overlay, status, only_named)
        for is_closed in (False, True)
        for payment in compile_gate().payments
        for state in compile_gate().states
        for overlay in compile_gate().overlays
        for status in compile_gate().statuses
        for only_named in (False, True)
    }


def test_every_letter_is_the_resolvers_answer_and_the_spec_s() -> None:
    gate = compile_gate.__wrapped__()
    assert list(disagreements(gate)) == []
    assert gate == compile_gate()


@pytest.mark.parametrize("axis", range(6), ids=["closed", "payment", "state", "overlay", "status", "named"])
def test_a_gate_that_ignores_one_fact_is_caught(monkeypatch: pytest.MonkeyPatch, axis: int) -> None:
    allowance = gate_rules._allowance
    nothing = (False, "uninitialized", "", "", "pre_subscription", False)

    def blind(*place: bool | str) -> object:
        seen = (*place[:axis], nothing[axis], *place[axis + 1 :])
        return allowance(*seen)  # type: ignore[arg-type]

    monkeypatch.setattr(gate_rules, "_allowance", blind)
    assert list(disagreements(compile_gate.__wrapped__()))


@pytest.mark.django_db
def test_the_database_finds_the_same_letter_for_every_combination() -> None:
    gate, places = compile_gate(), [place_of(facts) for facts in every_combination()]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT credits_gate_letter_2(p.closed, p.payment, p.state, p.overlay, p.status, p.named, %s, %s, %s, %s, %s)
            FROM unnest(%s::boolean[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[])
                WITH ORDINALITY AS p(closed, payment, state, overlay, status, named, number) ORDER BY p.number
            """,
            [
                gate.letters,
                *map(list, (gate.payments, gate.states, gate.overlays, gate.statuses)),
                *map(list, zip(*places, strict=True)),
            ],
        )
        found = [letter for (letter,) in cursor.fetchall()]
    assert found == [letter_at(gate, place) for place in places]


@pytest.mark.django_db
def test_the_database_takes_what_is_absent_for_the_resolvers_defaults() -> None:
    gate = compile_gate()
    arguments: list[Any] = [gate.letters, *map(list, (gate.payments, gate.states, gate.overlays, gate.statuses))]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credits_gate_letter_2(NULL, NULL, NULL, NULL, NULL, NULL, %s, %s, %s, %s, %s)", arguments
        )
        assert cursor.fetchone() == (letter_at(gate, (False, "uninitialized", "", "", "pre_subscription", False)),)
        cursor.execute(
            "SELECT credits_gate_letter_2(false, 'made up', NULL, NULL, NULL, NULL, %s, %s, %s, %s, %s)", arguments
        )
        assert cursor.fetchone() == (None,), "a status that nobody knows opens nothing"


@pytest.mark.slow
def test_every_operation_is_allowed_as_its_need_is_for_every_role() -> None:
    """What a product reads from the gate agrees with what the database lets it do, operation by operation."""
    cells, gate = spec_lifecycle.allowed(), compile_gate()
    needing = {name: one.lifecycle for name, one in OPERATIONS.items() if one.lifecycle is not LifecycleNeed.NOTHING}
    assert {LifecycleNeed(need) for need in spec_lifecycle.NEEDS} >= set(needing.values())
    for facts in every_combination():
        decision = resolve(facts)
        for role in (None, Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER, Role.SERVICE):
            answers = decision.operations(role=role)
            for name, need in needing.items():
                cell = cells[decision.state.value, need.value]
                assert answers[name] is (cell not in {"no", "owner only"} or (cell == "owner only" and role == "owner"))
                if need is LifecycleNeed.CONSUME:
                    assert answers[name] is (letter_at(gate, place_of(facts)) in "ywg")
