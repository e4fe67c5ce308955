"""The release before runs beside this one while it is rolled out: what it sends is served (spec 14, Upgrades).

`released/NUMBER.json` is what the release sends whose newest migration of credits has that number: `story`, statements
of the hot path with their parameters, which are carried out here; and `statements`, all the others of these services,
which are planned by PostgreSQL without being carried out. They were recorded from that release's code, so that nothing
here rests on the history of the repository. At a release, record it:

    COUNTINGHOUSE_RECORD_RELEASE=0015 .venv/bin/python -m pytest -n 0 tests/credits/test_serve_former_releases.py

and delete the files of releases that no longer run beside the next one.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.idempotency import IdempotencyKeyReusedError, lock_of_key
from apps.core.statements import fetch_all
from apps.credits.contracts import Consumption, scope_of
from apps.credits.models import CreditPolicy
from apps.credits.refusals import InsufficientCreditsError
from apps.credits.services import (
    authorization,
    consumption,
    credit_adjust,
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    decisions,
    entry_reverse,
    hold_capture,
    hold_release,
)
from apps.credits.services.consumption import hash_of
from apps.credits.services.holds import CaptureParams
from tests.contexts import console_context
from tests.credits import cast
from tests.credits.cast import Place, assert_sound, look_at, make_place

RELEASES = sorted((Path(__file__).parent / "released").glob("*.json"))
PLAIN = re.compile(r"^\s*(?:\(?SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
INSERTED = re.compile(r'INSERT INTO "?(\w+)"?(?: AS \w+)? \(([^()]*)\)')
Steps = list[dict[str, Any]]


def names_of(place: Place) -> dict[str, str]:
    """What differs from database to database, by the name that stands for it in a recorded parameter."""
    policy = CreditPolicy.objects.get(product=place.product, status="published")
    return {
        "{organization}": str(place.organization.pk),
        "{product}": str(place.product.pk),
        "{policy}": str(policy.pk),
        "{now}": clock.now().isoformat(),
    }


def send(step: dict[str, Any], names: dict[str, str]) -> list[tuple[Any, ...]]:
    """Carry out a statement of the hot path as the release sends it."""
    parameters = step["parameters"]
    for name, value in names.items():
        parameters = [each.replace(name, value) if each else each for each in parameters]
    return fetch_all(step["statement"], parameters)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_hot_calls_of_a_former_release_are_decided_and_booked(path: Path) -> None:
    """Charged once and repeated, refused without an effect, charged as a list, and read; the books are sound."""
    place = make_place(whole_credits=100)
    names = names_of(place)
    steps = {step["name"]: step for step in json.loads(path.read_text(encoding="utf-8"))["story"]}
    ((outcome, answer, _),) = send(steps["consume"], names)
    assert (outcome, json.loads(answer)["charged"], place.account.balance) == ("charged", 2_500_000, 97_500_000)
    ((outcome, again, _),) = send(steps["consume"], names)
    assert (outcome, json.loads(again)["entry_id"]) == ("replayed", json.loads(answer)["entry_id"])
    ((outcome, answer, facts),) = send(steps["too_much"], names)
    assert (outcome, answer, json.loads(facts)["balance"]) == ("refused", None, 97_500_000)
    rows = send(steps["batch"], names)
    assert [outcome for _, outcome, _, _ in rows] == ["charged", "charged"]
    ((facts,),) = send(steps["facts"], names)
    assert json.loads(facts)["balance"] == place.account.balance == 92_500_000
    look_at(place)
    assert_sound()


def consume_as_sent(path: Path, place: Place, item: Consumption) -> tuple[str, Any]:
    """What the release is answered for this consumption: by itself, with the key's own lock and hash."""
    (step,) = (each for each in json.loads(path.read_text(encoding="utf-8"))["story"] if each["name"] == "consume")
    own = {"key": item.key, "hash": hash_of(item), "lock": lock_of_key(scope_of(place.context), item.key)}
    sent = {**step, "parameters": [json.dumps(json.loads(text) | own) for text in step["parameters"]]}
    ((outcome, answer, _),) = send(sent, names_of(place))
    return outcome, json.loads(answer)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_what_a_former_release_charged_is_answered_the_same(path: Path) -> None:
    place = make_place(whole_credits=100)
    item = cast.consumption(place, "run")
    outcome, first = consume_as_sent(path, place, item)
    again = credits_consume(place.context, consumption=item)
    (listed,) = credits_consume_batch(place.context, consumptions=[item])
    assert (outcome, again.replayed, again.body, listed) == ("charged", True, first, again)
    other = credits_consume_batch(place.context, consumptions=[cast.consumption(place, "run", outcome="failed")])
    assert isinstance(other[0], IdempotencyKeyReusedError)
    assert place.account.balance == 97_500_000
    assert_sound()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_what_this_release_charged_a_former_one_does_not_charge_again(path: Path) -> None:
    """The release before answers the same. Those before it find no answer, and nothing is booked."""
    place = make_place(whole_credits=100)
    item = cast.consumption(place, "run")
    first = credits_consume(place.context, consumption=item)
    if path == RELEASES[-1]:
        assert consume_as_sent(path, place, item) == ("replayed", first.body)
    else:
        with pytest.raises(IntegrityError, match="was charged"):
            consume_as_sent(path, place, item)
    assert place.account.balance == 97_500_000
    assert_sound()


@pytest.mark.django_db
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_a_column_that_a_former_release_does_not_give_is_found(path: Path) -> None:
    place = make_place(whole_credits=100)
    steps = {step["name"]: step for step in json.loads(path.read_text(encoding="utf-8"))["story"]}
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE credits_creditentry ADD COLUMN needed integer NOT NULL DEFAULT 0")
        cursor.execute("ALTER TABLE credits_creditentry ALTER COLUMN needed DROP DEFAULT")
    with pytest.raises(IntegrityError):
        send(steps["consume"], names_of(place))


@pytest.mark.django_db
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_all_other_statements_of_a_former_release_can_be_planned(path: Path) -> None:
    for statement in json.loads(path.read_text(encoding="utf-8"))["statements"]:
        plan(statement)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        'SELECT "gone" FROM credits_creditaccount WHERE balance = %s',
        "SELECT credits_facts_9(%s)",
        "INSERT INTO credits_freequantity (account_id) VALUES (%s)",
        "UPDATE credits_gone SET balance = $1",
    ],
)
def test_a_statement_that_the_schema_no_longer_serves_is_found(statement: str) -> None:
    with pytest.raises((ProgrammingError, AssertionError)):
        plan(statement)


def plan(statement: str) -> None:
    """Have PostgreSQL plan the statement: each table, column and function that it names is there, of a fitting type.

    A row that it inserts names every column that must be given.
    """
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + re.sub(r"\$\d+|%s", "NULL", statement).replace("%%", "%").replace("%", "%%"), [])
        for table, columns in INSERTED.findall(statement):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO'"
                " AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'",
                [table],
            )
            needed = {name for (name,) in cursor.fetchall()}
            missing = needed - {column.strip().strip('"') for column in columns.split(",")}
            assert not missing, f"{table}: {missing} must be given, and the former release does not know them"


@pytest.mark.django_db(transaction=True)
def test_this_release_is_recorded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded at a release is what the services send: all of it can be planned, and the story is complete."""
    place = make_place(whole_credits=100)
    names = names_of(place)
    story, statements = record(place, monkeypatch)
    for step in story:
        for name in ("{organization}", "{product}", "{policy}"):
            step["parameters"] = [each and each.replace(names[name], name) for each in step["parameters"]]
        moment = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
        step["parameters"] = [each and moment.sub("{now}", each) for each in step["parameters"]]
    assert [step["name"] for step in story] == ["consume", "too_much", "batch", "facts"]
    assert len(statements) > 30
    for statement in statements:
        plan(statement)
    number = os.environ.get("COUNTINGHOUSE_RECORD_RELEASE")
    if number:
        text = json.dumps({"story": story, "statements": sorted(statements)}, indent=1, ensure_ascii=False)
        (Path(__file__).parent / "released" / f"{number}.json").write_text(text + "\n", encoding="utf-8")


def record(place: Place, monkeypatch: pytest.MonkeyPatch) -> tuple[Steps, set[str]]:
    """What the services send for one call of each kind: the hot path's with parameters, of the others the text."""
    story: Steps = []
    statements: set[str] = set()

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if PLAIN.match(sql):
            statements.add(" ".join(sql.split()))
        return execute(sql, params, many, context)

    def note_hot(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        texts = [None if each is None else str(getattr(each, "value", each)) for each in parameters]
        story.append({"name": "", "statement": statement, "parameters": texts})
        return fetch_all(statement, parameters)

    # The process knows the price list already, as it does but for its first call.
    credits_consume(place.context, consumption=cast.consumption(place, quantity=1, outcome="failed"))
    for module in (authorization, consumption):
        monkeypatch.setattr(module, "fetch_all", note_hot)
    monkeypatch.setattr(decisions, "fetch_all", partial(note_text, statements))
    names = ("consume", "too_much", "batch", "facts")
    with connection.execute_wrapper(note):
        for name, call in zip(names, hot_calls(place), strict=True):
            call()
            story[names.index(name)]["name"] = name
            del story[names.index(name) + 1 :]
        make_other_calls(place)
    return story[: len(names)], statements


def note_text(statements: set[str], statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    statements.add(" ".join(statement.split()))
    return fetch_all(statement, parameters)


def hot_calls(place: Place) -> list[Callable[[], object]]:
    def ask_too_much() -> None:
        with pytest.raises(InsufficientCreditsError):
            credits_consume(place.context, consumption=cast.consumption(place, "release-2", quantity=900 * MICRO))

    two = [cast.consumption(place, f"release-{number}") for number in (3, 4)]
    question = cast.consumption(place).question
    return [
        lambda: credits_consume(place.context, consumption=cast.consumption(place, "release-1")),
        ask_too_much,
        lambda: credits_consume_batch(place.context, consumptions=two),
        lambda: credits_authorize(place.context, question=question),
    ]


def make_other_calls(place: Place) -> None:
    """Holds, reversals, grants, adjustments: the calls that send more than one statement."""
    question = cast.consumption(place).question
    for number in range(2):
        opened: Any = credits_authorize(
            place.context, question=question, hold_ttl=timedelta(minutes=5), key=f"hold-{number}"
        )
        hold_id = uuid.UUID(str(opened["hold"]["id"]))
        if number:
            hold_release(place.context, hold_id=hold_id, key="release")
        else:
            params = CaptureParams(quantity=MICRO, outcome="succeeded")
            hold_capture(place.context, hold_id=hold_id, key="capture", params=params)
    charged = credits_consume(place.context, consumption=cast.consumption(place))
    entry_id = uuid.UUID(str(charged.body["entry_id"]))
    entry_reverse(place.context, entry_id=entry_id, key="back", reason="a failed run")
    cast.give(place, MICRO)
    credit_adjust(
        console_context(), account_id=place.organization.pk, key="adjust", amount=MICRO, reason="agreed by phone"
    )
    look_at(place)
