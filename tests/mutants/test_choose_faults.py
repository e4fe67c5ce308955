"""Faults are made where they change what runs today, and a message is no place for one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from apps.core.amounts import MICRO
from apps.credits.rules.pricing import Price, charge_for
from tests.architecture.sources import PROJECT
from tests.mutants import python_faults, sql_faults
from tests.mutants.choice import MOST_SECONDS_OF_SQL, Choice
from tests.mutants.faults import Fault, all_faults, survivors_known
from tests.mutants.patching import put_in
from tests.mutants.run import digest_of
from tests.mutants.session import Notes

THIS = Path(__file__).relative_to(PROJECT).as_posix()

FIRST = """CREATE OR REPLACE FUNCTION ledger_post(a int) RETURNS int LANGUAGE sql AS $$
    SELECT ledger_fee(a) WHERE a > 1
$$;
CREATE OR REPLACE FUNCTION ledger_fee(a int) RETURNS int LANGUAGE sql AS $$
    SELECT a WHERE a > 2
$$;
CREATE OR REPLACE FUNCTION ledger_of_former_servers(a int) RETURNS int LANGUAGE sql AS $$
    SELECT a WHERE a > 3
$$;
"""
SECOND = """-- It replaces the first.
CREATE OR REPLACE FUNCTION ledger_post(a int) RETURNS int LANGUAGE sql AS $$
    SELECT ledger_fee(a) WHERE a > 4
$$;
"""


def test_sql_is_tried_where_the_product_calls_it() -> None:
    queries = {"a.py": "SELECT ledger_post(%s)", "b.py": "SELECT ledger_fee(%s)", "c.py": "SELECT 1"}
    found = list(sql_faults.standing({"1.sql": FIRST, "2.sql": SECOND}, queries))
    [fee, post] = sorted(found, key=lambda one: one.file)
    assert (fee.file, fee.callers, post.file, post.callers) == ("1.sql", ("a.py", "b.py"), "2.sql", ("a.py",))
    for one, text in ((fee, FIRST), (post, SECOND)):
        assert one.statement.splitlines()[0] == text.splitlines()[one.before]
    assert {change for _, change, _ in sql_faults.faults(post.statement)} == {
        "SELECT ledger_fee(a) WHERE a > 4 -> SELECT ledger_fee(a) WHERE a >= 4",
        "SELECT ledger_fee(a) WHERE a > 4 $$; -> SELECT ledger_fee(a) WHERE true $$;",  # to the end of the line
    }


def test_no_fault_is_made_in_what_is_only_told() -> None:
    told = ast.parse("raise ValueError(f'{text[:60]} is too long')")
    assert [change for _, change in python_faults.faults(told)] == [
        "raise ValueError(f'{text[:60]} is too long') -> pass"
    ]


def test_no_fault_is_made_in_how_a_class_is_made() -> None:
    made = ast.parse("class A(Struct, frozen=True):\n    size: int = 3")
    assert [change for _, change in python_faults.faults(made)] == ["3 -> 4"]


def test_a_fault_is_put_into_a_module_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charge_for, "__code__", charge_for.__code__)  # puts the right one back
    file, price = "apps/credits/rules/pricing.py", Price("run", "run", 5)
    source = (PROJECT / file).read_text(encoding="utf-8")
    changes = [change for _, change in python_faults.faults(ast.parse(source))]
    wrong = changes.index("paid_quantity == 0 -> paid_quantity != 0")
    assert charge_for(price, MICRO) == 5
    assert put_in(file, python_faults.with_fault(source, wrong))
    assert charge_for(price, MICRO) == 0


@pytest.mark.slow
def test_the_list_names_faults_that_are_made() -> None:
    assert set(survivors_known()) <= {fault.key for fault in all_faults([])}


def test_a_fault_in_sql_meets_the_tests_that_name_it_and_those_that_call_it() -> None:
    """Not the quick ones that run a line of a neighbour, which could notice nothing."""
    choice = Choice(Notes())
    quick, calls, names = "tests/mutants/__init__.py::quick", "tests/mutants/__init__.py::calls", f"{THIS}::names"
    choice.notes.lines = {
        quick: {("apps/a/services/comparisons.py", 1)},
        calls: {("apps/a/services/consumption.py", 9)},
        names: set(),
    }
    choice.notes.seconds = {quick: 0.01, calls: 0.2, names: 0.3}
    fault = Fault("1.sql", 1, "", 0, FIRST, "ledger_post", ("apps/a/services/consumption.py",))
    assert choice.tests_for(fault, {}) == [names, calls]


def test_who_noticed_a_fault_is_asked_first_about_the_next_one_in_the_function() -> None:
    """Then by turns those whose file imports the module and the others."""
    file, here, elsewhere = "apps/credits/rules/pricing.py", f"{THIS}::test", "tests/mutants/__init__.py::test"
    tests, choice = [f"{elsewhere}_a", f"{elsewhere}_b", here], Choice(Notes())
    choice.notes.seconds = dict.fromkeys(tests, 0.1)
    lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
    places_of = {(file, line): tests for line in range(1, len(lines))}
    last_lines = [i for i, line in enumerate(lines, 1) if line.startswith("    return")]
    found = [Fault(file, line, "", 0) for line in (last_lines[1] - 1, last_lines[1], last_lines[2])]
    assert choice.tests_for(found[0], places_of) == [here, tests[0], tests[1]]
    choice.remember(found[0], tests[1])
    assert choice.tests_for(found[1], places_of) == [tests[1], here, tests[0]]
    assert choice.tests_for(found[2], places_of) == [here, tests[0], tests[1]]


def test_a_survivor_is_tried_by_more_tests() -> None:
    tests = [f"{THIS}::test_{number}" for number in range(4)]
    choice, fault = Choice(Notes()), Fault("1.sql", 1, "", 0, FIRST, "ledger_post", ("apps/a.py",))
    choice.notes.lines = {test: {("apps/a.py", 1)} for test in tests}
    choice.notes.seconds = dict.fromkeys(tests, MOST_SECONDS_OF_SQL * 0.9)
    assert len(choice.tests_for(fault, {})) == 1
    choice.patience = 3
    assert len(choice.tests_for(fault, {})) == 3


def test_notes_are_kept_for_the_same_tests_and_modules_alone() -> None:
    digests = [
        digest_of(tests, noted)
        for tests, noted in ((["t"], ["a.py"]), (["t"], ["b.py"]), (["t", "a.py"], []), (["t"], []), (["t"], ["a.py"]))
    ]
    assert (len(set(digests)), digests[-1]) == (4, digests[0])
