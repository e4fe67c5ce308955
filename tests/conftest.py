"""Fixtures that every test has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.commands import flush
from django.db import connection
from pytest_django import DjangoDbBlocker

from apps.core.garbage import settle
from apps.credits.services import comparisons
from apps.tenants.oidc.provider import memory
from apps.tenants.tokens import forget_all
from tests import databases
from tests.drop_database import drop_database
from tests.stack import given_database

_LONG = ("walk", "browser", "journey", "faults", "slow")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """Processes remember tokens, failures and comparisons for a while; tests do not lend each other any.

    Afterwards too: what the next module builds once is built before its first test.
    """
    _forget()
    yield
    _forget()


def _forget() -> None:
    forget_all()
    memory.clear()
    comparisons._tally = comparisons.Tally()


@pytest.fixture(autouse=True, scope="session")
def _static_files_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each client looks for static files when it starts, while other tests' servers get and lose theirs."""
    settings.STATIC_ROOT = tmp_path_factory.mktemp("static")


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """In place of pytest-django's, which migrates a database in each process."""
    outside = connection.settings_dict["NAME"]
    given = request.config.stash.get(given_database, None)
    name = given() if given else databases.own_name()
    with django_db_blocker.unblock():
        if not given:
            databases.copy_migrated_database(name)
        databases.use_database(name)
    yield
    with django_db_blocker.unblock():
        databases.use_database(outside)
        if not given:
            with connection._nodb_cursor() as cursor:
                drop_database(cursor, name)


@pytest.fixture(scope="module")
def lasting_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What module fixtures write stays for all tests of the module, each of which is undone by itself."""
    with django_db_blocker.unblock(), databases.undone():
        yield


@pytest.fixture(autouse=True, scope="session")
def _tables_are_emptied_quickly() -> Iterator[None]:
    """Tests that commit end by Django's `flush`, which truncates every table; append-only ones refuse that."""
    handle = flush.Command.handle
    flush.Command.handle = lambda self, **options: databases.empty_tables()  # type: ignore[method-assign]
    yield
    flush.Command.handle = handle  # type: ignore[method-assign]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with what takes long come first, else in the order that pytest-randomly chose.

    Begun last, it would keep one process of the gate busy while the others have nothing to do. As the first part it is
    one process's, so that seldom two stacks run at once.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        own = next((rank for rank, name in enumerate(_LONG) if item.get_closest_marker(name)), len(_LONG))
        ranks[item.path] = min(own, ranks.get(item.path, own))
    items.sort(key=lambda item: ranks[item.path])


def pytest_collection_finish() -> None:
    """Thousands of tests and what they import stay to the end: the garbage collector need not look at them again."""
    settle()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how large the access table is: a promise whose size matters (spec 11, P4)."""
    from tests.access.cells import cell_counts  # noqa: PLC0415 - needs the loaded apps

    figures = ", ".join(f"{asked:,} of {every:,} {plane}" for plane, (asked, every) in cell_counts().items())
    terminalreporter.write_line(f"access table: asks {figures} cells")
