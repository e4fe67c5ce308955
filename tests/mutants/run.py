"""The whole run: a database to copy, notes of which test runs what, and one child for each fault."""

from __future__ import annotations

import ast
import gc
import hashlib
import os
import pickle
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psycopg
import pytest
from _pytest.runner import runtestprotocol

from billing_site.launcher import places
from tests.architecture.sources import PROJECT
from tests.drop_database import drop_database
from tests.mutants import python_faults
from tests.mutants.choice import Choice
from tests.mutants.faults import Fault, survivors_known
from tests.mutants.patching import functions_by_file, put_in
from tests.mutants.session import BROKEN, Notes, Plugin, noting_tree, run_in_child, run_tests, tests_of_lines

PROCESSES = 2
_BASE = "mutants_base"
_PATIENCE = 4
_CAN_NOT_PATCH, _NO_SQL = 77, 78
# By the status of the child. A run that could not be made says nothing about the tests, and is no kill.
_OUTCOMES = {
    0: "survived",
    _CAN_NOT_PATCH << 8: "not patched",
    _NO_SQL << 8: "impossible",
    BROKEN << 8: "broken",
    int(pytest.ExitCode.INTERNAL_ERROR) << 8: "broken",
    int(pytest.ExitCode.NO_TESTS_COLLECTED) << 8: "broken",
}


class Run:
    """The whole run: a database to copy, notes of which test runs what, and one child for each fault."""

    def __init__(self, folder: Path, faults: list[Fault], seconds: float) -> None:
        self.folder, self.faults = folder, faults
        self.ends_at = time.monotonic() + seconds
        self.outcomes: dict[Fault, str] = {}
        self.notes = Notes()
        self.choice = Choice(self.notes)
        self.items: dict[str, pytest.Item] = {}
        self._server = os.environ.get("DATABASE_URL") or places.database_url()

    def prepare(self, tests: Sequence[str]) -> None:
        """Make the database and take the notes. A test that fails without any fault is named, and not used."""
        self._wait({run_in_child(make_base, {}, log=self.folder / "base"): "the database"})
        noted = sorted({file for fault in self.faults for file in (fault.callers if fault.sql else [fault.file])})
        kept, digest = self.folder / "notes", digest_of(tests, noted)
        if kept.exists():
            of, notes = pickle.loads(kept.read_bytes())  # noqa: S301 - our own
            if of == digest:
                self.notes = self.choice.notes = notes
                return
        self._note_tests(tests, noted)
        kept.write_bytes(pickle.dumps((digest, self.notes)))

    def _note_tests(self, tests: Sequence[str], noted: Sequence[str]) -> None:
        trees = {file: partial(noting_tree, file) for file in noted}
        found = [
            file for name in tests for file in ([name] if name.endswith(".py") else _files(f"{name}/**/test_*.py"))
        ]
        started = {}
        for slot in range(PROCESSES):
            notes, store = Notes(), self.folder / f"notes{slot}"
            plugin = Plugin(partial(self._database, slot), notes=notes)
            work = partial(_take_notes, plugin, found[slot::PROCESSES], notes, store)
            child = run_in_child(work, trees, log=self.folder / f"log{slot}")
            started[child] = f"the tests without a fault ({self.folder}/log{slot})"
        self._wait(started)
        for slot in range(PROCESSES):
            kept: Notes = pickle.loads((self.folder / f"notes{slot}").read_bytes())  # noqa: S301 - our own child's
            self.notes.lines |= kept.lines
            self.notes.seconds |= kept.seconds
            self.notes.failed |= kept.failed
        for test in sorted(self.notes.failed):
            print(f"not used, since it fails without any fault: {test}", flush=True)
            self.notes.lines.pop(test, None)

    def try_all(self) -> None:
        """Every fault: first in copies of a process that has imported everything, then by an import of its own.

        An import shows what a patch can't: faults outside of functions, and values that were computed before. So what
        survives the one is tried by the other; SQL is the same for both.
        """
        store = self.folder / "outcomes"
        log = self.folder / "log"
        child = run_in_child(partial(self._try_in_copies, store), {}, log=log)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"The run broke off; see {log}.")
        self.outcomes = pickle.loads(store.read_bytes())  # noqa: S301 - our own child's
        again = [fault for fault, outcome in self.outcomes.items() if outcome != "killed" and not fault.sql]
        self._try_each(again, self._start_import, start_seconds=60)

    def _try_in_copies(self, store: Path) -> int:
        run = self

        class Copies(Plugin):
            """Instead of running the tests, tries every fault in a copy of the process."""

            def pytest_runtestloop(self, session: pytest.Session) -> bool:
                run.items = {item.nodeid: item for item in session.items}
                functions_by_file()
                gc.freeze()  # else each copy writes to all of its memory, and so copies it
                run._check_copies(self)
                start = partial(run._start_copy, self)
                run._try_each(run.faults, start)
                # Few survive that nobody has looked at: for them there is time for more tests.
                run.choice.patience = _PATIENCE
                left = [fault for fault, outcome in run.outcomes.items() if outcome == "survived"]
                run._try_each([fault for fault in left if fault.key not in survivors_known()], start)
                return True

        files = sorted({test.partition("::")[0] for test in self.notes.lines})
        status = run_tests(Copies(str), files, "-s")
        store.write_bytes(pickle.dumps(self.outcomes))
        return status

    def _check_copies(self, plugin: Plugin) -> None:
        """The control: in a copy without any fault quick tests pass, so that a failure says something."""
        quick = [test for test, seconds in self.notes.seconds.items() if seconds < 1][:: len(self.items) // 50 + 1]
        child = self._start_copy(plugin, Fault("", 0, "no fault", 0), 0, quick)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("Tests that pass by themselves fail in a copy of the process without any fault.")

    def _try_each(
        self, faults: Sequence[Fault], start: Callable[[Fault, int, list[str]], int], start_seconds: float = 15
    ) -> None:
        """A fault that makes a loop endless is noticed by its time limit: some times what its tests take without it."""
        places_of, waiting = tests_of_lines(self.notes), list(reversed(faults))
        running: dict[int, tuple[Fault, int, float]] = {}
        while waiting or running:
            free = set(range(PROCESSES)) - {slot for _, slot, _ in running.values()}
            while free and waiting and time.monotonic() < self.ends_at:
                fault, slot = waiting.pop(), free.pop()
                tests = self.choice.tests_for(fault, places_of)
                child = start(fault, slot, tests) if tests else 0
                if child:
                    allowed = start_seconds + 5 * sum(self.notes.seconds[test] for test in tests)
                    running[child] = (fault, slot, time.monotonic() + allowed)
                else:
                    self.outcomes.setdefault(fault, "survived")
                    free.add(slot)
            if not running:
                break
            self._collect(running)

    def _start_copy(self, plugin: Plugin, fault: Fault, slot: int, tests: list[str]) -> int:
        """A copy of this process that has the fault."""
        items = [self.items[test] for test in tests if test in self.items]
        return run_in_child(partial(self._run_items, plugin, fault, slot, items), {}, log=self.folder / f"log{slot}")

    def _run_items(self, plugin: Plugin, fault: Fault, slot: int, items: Sequence[pytest.Item]) -> int:
        """In a copy: the tests in their order, up to the first that fails."""
        plugin.database = partial(self._database, slot)
        if fault.sql:
            name = plugin.database()
            plugin.database = lambda: name
            if not self._apply(fault, name):
                return _NO_SQL
        elif fault.file and not put_in(fault.file, _tree_with(fault)):
            return _CAN_NOT_PATCH
        for item, following in zip(items, [*items[1:], None], strict=True):
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                self._note_of(slot).write_text(item.nodeid, encoding="utf-8")
                return 1
        return 0

    def _start_import(self, fault: Fault, slot: int, tests: list[str]) -> int:
        plugin, trees = Plugin(partial(self._database, slot), tests), {fault.file: partial(_tree_with, fault)}
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        return run_in_child(partial(run_tests, plugin, files, "-x"), trees, log=self.folder / f"log{slot}")

    def _apply(self, fault: Fault, database: str) -> bool:
        try:
            with psycopg.connect(self._server, dbname=database, autocommit=True) as connection:
                connection.execute(fault.sql.encode())
        except psycopg.Error:
            return False  # it is no SQL any more
        return True

    def _collect(self, running: dict[int, tuple[Fault, int, float]]) -> None:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child in running:
            fault, slot, _ = running.pop(child)
            self.outcomes[fault] = _OUTCOMES.get(status, "killed")
            note = self._note_of(slot)
            if note.exists():  # not where it survived, or was ended by its time limit
                self.choice.remember(fault, note.read_text(encoding="utf-8"))
                note.unlink()
            print(f"{self.outcomes[fault]:12}{fault}", flush=True)
            return
        for other, (fault, slot, limit) in list(running.items()):
            if time.monotonic() > limit:
                running[other] = (fault, slot, float("inf"))
                os.killpg(other, signal.SIGKILL)
        time.sleep(0.02)

    def _note_of(self, slot: int) -> Path:
        return self.folder / f"noticed{slot}"

    def _database(self, slot: int) -> str:
        name = f"mutants_{slot}"
        with psycopg.connect(self._server, dbname="postgres", autocommit=True) as connection:
            drop_database(connection.cursor(), name)
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_BASE}".encode())
        return name

    def _wait(self, children: dict[int, str]) -> None:
        for child, what in children.items():
            if status := os.waitpid(child, 0)[1]:
                raise SystemExit(
                    f"Without any fault there is a failure in {what}, status {status}. Run `make test` first."
                )


def make_base() -> int:
    """In a child: the database with all migrations, which the others copy."""
    import django  # noqa: PLC0415 - in the child alone
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    os.environ["DJANGO_SETTINGS_MODULE"] = "billing_site.settings"
    django.setup()
    settings.DATABASES["default"]["TEST"] = connection.settings_dict["TEST"] = {
        **connection.settings_dict["TEST"],
        "NAME": _BASE,
    }
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    connection.close()
    return 0


def _files(pattern: str) -> list[str]:
    return [path.relative_to(PROJECT).as_posix() for path in sorted(PROJECT.glob(pattern))]


def digest_of(tests: Sequence[str], noted: Sequence[str]) -> str:
    """What the notes depend on: the chosen tests, the modules whose lines are noted, and all sources."""
    found = hashlib.sha256("\0".join([*tests, "", *noted]).encode())
    for folder in ("apps", "billing_site", "tests"):
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".html", ".toml"} and "mutants" not in path.parts:
                found.update(f"\0{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _take_notes(plugin: Plugin, files: Sequence[str], notes: Notes, store: Path) -> int:
    status = run_tests(plugin, files) if files else 0  # of no files it would run every test that there is
    store.write_bytes(pickle.dumps(notes))
    return 0 if status == pytest.ExitCode.TESTS_FAILED else status


def _tree_with(fault: Fault) -> ast.Module:
    return python_faults.with_fault((PROJECT / fault.file).read_text(encoding="utf-8"), fault.number)
