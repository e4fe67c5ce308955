"""Which tests are tried against a fault, and in which order: the sooner one notices it, the more faults in an hour."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Collection
from functools import cache
from itertools import accumulate, chain, zip_longest

from tests.architecture.sources import PROJECT
from tests.mutants.faults import Fault
from tests.mutants.session import Notes

# Against one fault: so many tests, and so many seconds of them. Those that run little else come first. Which lines of
# SQL a test runs is not known, and each of its tests needs the database.
MOST_TESTS, MOST_SECONDS, MOST_SECONDS_OF_SQL = 400, 8.0, 20.0


class Choice:
    """Chooses by the notes of which test runs what, and by who noticed a fault in the same function before."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        # How many times as many tests, and seconds of them, are tried.
        self.patience = 1
        # By function, the tests that noticed a fault in it.
        self._noticed_by: dict[str, set[str]] = {}

    def remember(self, fault: Fault, test: str) -> None:
        """The test has noticed the fault."""
        self._noticed_by.setdefault(_place_of(fault), set()).add(test)

    def tests_for(self, fault: Fault, places_of: dict[tuple[str, int], list[str]]) -> list[str]:
        """The tests that may notice the fault, in the order in which they are tried; none where none runs it."""
        if fault.sql:
            # Tests that name the function are about it. Loading a module runs none of its lines that are noted, so that
            # the others do ask the database.
            found = {
                test for test, lines in self.notes.lines.items() if any(file in fault.callers for file, _ in lines)
            }
            named = {test for test in self.notes.lines if is_about(fault, test.partition("::")[0])}
            return self._first(fault, found | named, MOST_SECONDS_OF_SQL)
        # A statement that spans lines was noted at its first one.
        lines = [line for file, line in places_of if file == fault.file and line <= fault.line]
        inside = _function_lines(fault)
        near = [line for line in lines if line in inside]
        if inside:
            return self._first(fault, places_of[fault.file, max(near)]) if near else []
        ran = {test for (file, _), tests in places_of.items() if file == fault.file for test in tests}
        return self._first(fault, sorted(ran, key=lambda test: self.notes.seconds[test]))

    def _first(self, fault: Fault, tests: Collection[str], seconds: float = MOST_SECONDS) -> list[str]:
        """As many of the tests as may be tried, and always one.

        Those that noticed another fault of the function come first, then the quick ones that are about it or its
        module, by turns with those that run little else.
        """
        noticed = self._noticed_by.get(_place_of(fault), set())
        quick_first = sorted(tests, key=lambda test: self.notes.seconds[test])
        about = [test for test in quick_first if is_about(fault, test.partition("::")[0])]
        # Which lines of SQL a test runs is not known: those that name the function are the best there are.
        in_order = [*about, *quick_first] if fault.sql else chain.from_iterable(zip_longest(about, tests))
        distinct = dict.fromkeys(test for test in in_order if test is not None)
        chosen = sorted(distinct, key=lambda test: test not in noticed)[: self.patience * MOST_TESTS]
        ends = list(accumulate(self.notes.seconds[test] for test in chosen))
        return chosen[: max(1, bisect_right(ends, self.patience * seconds))]


def _place_of(fault: Fault) -> str:
    """What faults have in common that one test may notice: a function of SQL, or of Python."""
    return fault.function or f"{fault.file}:{_function_lines(fault).start}"


@cache
def is_about(fault: Fault, test_file: str) -> bool:
    """Whether the tests of the file name the function, or import the module."""
    text = _text_of(test_file)
    if fault.sql:
        return fault.function in text
    package, _, module = fault.file.removesuffix(".py").replace("/", ".").rpartition(".")
    return f"{package}.{module}" in text or bool(
        re.search(rf"^from {package} import .*\b{module}\b", text, re.MULTILINE)
    )


@cache
def _text_of(file: str) -> str:
    return (PROJECT / file).read_text(encoding="utf-8")


@cache
def _functions_of(file: str) -> list[range]:
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    return [
        range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]


def _function_lines(fault: Fault) -> range:
    """The lines of the innermost function around the fault; none where it stands outside of all."""
    return min((lines for lines in _functions_of(fault.file) if fault.line in lines), key=len, default=range(0))
