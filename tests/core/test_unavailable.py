"""Every way in which the database can be away or slow is 503 with Retry-After, and soon (spec 11, P14)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from apps.core.postgresql.limits import LIMITS, Work, connection_options
from apps.core.statements import fetch_all
from apps.core.unavailability import is_away, is_unavailable
from apps.core.wire.problems import problem_of
from apps.tenants.tokens import forget_all
from tests.core.elsewhere import elsewhere, run
from tests.factories.tenants import make_product, make_token

pytestmark = pytest.mark.django_db(transaction=True)


def error_with(kind: type[Exception], state: str | None, text: str = "") -> Exception:
    """As Django raises it: psycopg's error, which has the SQLSTATE, is its cause."""
    cause = psycopg.Error(text)
    cause.sqlstate = state
    error = kind(text)
    error.__cause__ = cause
    return error


# What each answers, and whether the next record may go well.
TABLE: list[tuple[Exception, int, bool]] = [
    (error_with(OperationalError, None, "connection refused"), 503, True),
    (error_with(OperationalError, "08006", "connection failure"), 503, True),
    (error_with(OperationalError, "08P01", "query_wait_timeout"), 503, True),
    (error_with(OperationalError, "40001", "could not serialize"), 503, False),
    (error_with(OperationalError, "40P01", "deadlock detected"), 503, False),
    (error_with(OperationalError, "53100", "disk full"), 503, True),
    (error_with(OperationalError, "53300", "too many connections"), 503, True),
    (error_with(OperationalError, "55P03", "lock timeout"), 503, False),
    (error_with(OperationalError, "57014", "statement timeout"), 503, False),
    (error_with(OperationalError, "57P01", "terminating connection due to administrator command"), 503, True),
    (error_with(OperationalError, "57P02", "crash of another server process"), 503, True),
    (error_with(OperationalError, "57P03", "the database system is starting up"), 503, True),
    (error_with(OperationalError, "57P05", "terminating connection due to idle-session timeout"), 503, True),
    (error_with(OperationalError, "58030", "could not read block"), 503, True),
    (error_with(InternalError, "25006", "cannot execute INSERT in a read-only transaction"), 503, True),
    (error_with(InternalError, "25P03", "idle-in-transaction timeout"), 503, True),
    (error_with(InternalError, "25P04", "transaction timeout"), 503, True),
    (InterfaceError("connection already closed"), 503, True),
    (BrokerError("no broker"), 503, False),
    # Mistakes of ours stay mistakes of ours.
    (error_with(OperationalError, "54001", "stack depth limit exceeded"), 500, False),
    (error_with(InternalError, "25P02", "current transaction is aborted"), 500, False),
    (error_with(InternalError, "XX000", "cache lookup failed"), 500, False),
    (error_with(ProgrammingError, "42P01", "relation does not exist"), 500, False),
    (error_with(ProgrammingError, "42501", "permission denied"), 500, False),
    (error_with(IntegrityError, "23505", "duplicate key"), 500, False),
    (error_with(DataError, "22001", "value too long"), 500, False),
    (error_with(ProgrammingError, None, "the query has 1 placeholder but 2 parameters were passed"), 500, False),
    (SoftTimeLimitExceeded(), 500, False),
    (ValueError("ours"), 500, False),
]


@pytest.mark.parametrize(("error", "status", "away"), TABLE, ids=lambda part: str(part)[:40])
def test_the_answer_to_each_error(error: Exception, status: int, away: bool) -> None:
    problem = problem_of(error)
    assert (problem.status, is_unavailable(error), is_away(error)) == (status, status == 503, away)
    assert problem.headers.get("Retry-After", "").isdecimal() == (status == 503)


# --- The same, from a real server ---------------------------------------------------------------------------------


def a_slow_statement() -> None:
    with transaction.atomic():
        run("SET LOCAL statement_timeout = 100")
        run("SELECT pg_sleep(20)")


@contextlib.contextmanager
def another() -> Iterator[Any]:
    other = connections.create_connection("default")
    try:
        yield other
    finally:
        other.close()


def a_lock_that_is_not_got() -> None:
    with another() as other:
        other.set_autocommit(False)
        other.cursor().execute("LOCK TABLE tenants_product")
        with transaction.atomic():
            run("SET LOCAL lock_timeout = 100")
            run("LOCK TABLE tenants_product")


def a_deadlock() -> None:
    def lock_both(first: int, second: int, errors: list[Exception]) -> None:
        try:
            with transaction.atomic():
                run(f"SELECT pg_advisory_xact_lock({first})")
                barrier.wait(10)
                run(f"SELECT pg_advisory_xact_lock({second})")
        except OperationalError as error:
            errors.append(error)
        finally:
            if threading.current_thread() is not threading.main_thread():
                connection.close()

    barrier = threading.Barrier(2)
    errors: list[Exception] = []
    thread = threading.Thread(target=lock_both, args=(1, 2, errors))
    thread.start()
    lock_both(2, 1, errors)
    thread.join()
    [error] = errors
    raise error


def an_end_by_the_administrator() -> None:
    with transaction.atomic():
        run("SELECT 1")
        with another() as other:
            other.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
        run("SELECT 1")


def a_server_that_only_reads() -> None:
    with transaction.atomic():
        run("SET TRANSACTION READ ONLY")
        run("DELETE FROM tenants_product")


def a_transaction_that_lay_idle() -> None:
    with transaction.atomic():
        run("SET LOCAL idle_in_transaction_session_timeout = 100")
        time.sleep(0.6)
        run("SELECT 1")


def too_many_connections() -> None:
    name = connection.settings_dict["NAME"]
    superuser = urlsplit(settings.DATABASE_URL)._replace(netloc="postgres@", path="/postgres").geturl()
    with psycopg.connect(superuser, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        try:
            connection.close()
            run("SELECT 1")
        finally:
            admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


def no_server_there() -> None:
    with elsewhere(HOST="127.0.0.1", PORT="1"):
        run("SELECT 1")


def no_such_host() -> None:
    with elsewhere(HOST="nowhere.invalid", PORT="5432"):
        run("SELECT 1")


def a_server_that_says_nothing_at_connecting() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        elsewhere(HOST="127.0.0.1", PORT=str(silent.getsockname()[1])),
    ):
        run("SELECT 1")


def no_such_database() -> None:
    with elsewhere(HOST=connection.settings_dict["OPTIONS"]["host"], NAME="nothing_here"):
        run("SELECT 1")


WAYS: list[Callable[[], None]] = [
    a_slow_statement,
    a_lock_that_is_not_got,
    a_deadlock,
    an_end_by_the_administrator,
    a_server_that_only_reads,
    a_transaction_that_lay_idle,
    too_many_connections,
    no_server_there,
    no_such_host,
    a_server_that_says_nothing_at_connecting,
    no_such_database,
]


@pytest.mark.parametrize("happen", WAYS, ids=lambda happen: happen.__name__)
@pytest.mark.slow
def test_a_real_one_is_unavailable_and_the_next_call_goes_well(happen: Callable[[], None]) -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseError) as happened:
        happen()
    problem = problem_of(happened.value)
    assert problem.status == 503, repr(happened.value)
    assert problem.headers["Retry-After"].isdecimal()
    assert time.monotonic() - started < 10
    run("SELECT 1")
    assert fetch_all("SELECT $1", ("x",)) == [("x",)]


@pytest.mark.parametrize("work", list(Work))
def test_a_connection_asks_for_the_limits_of_its_work(work: Work) -> None:
    base = dict(connection.settings_dict["OPTIONS"])
    options = {**connection_options(work, sends_timeouts=True), "host": base["host"]}
    with psycopg.connect(
        dbname=connection.settings_dict["NAME"], user=connection.settings_dict["USER"], **options
    ) as raw:
        for name, value in LIMITS[work].settings.items():
            row = raw.execute("SELECT setting FROM pg_settings WHERE name = %s", [name]).fetchone()
            assert row == (value,)
        assert raw.execute("SHOW application_name").fetchone() == (f"countinghouse-{work.value}",)
    assert 0 < options["connect_timeout"] <= 10


def test_web_is_the_quickest_and_a_command_may_take_its_time() -> None:
    web, jobs, command = (LIMITS[work] for work in (Work.WEB, Work.JOBS, Work.COMMAND))
    assert web.statement is not None
    assert jobs.statement is not None
    assert web.statement < jobs.statement
    assert jobs.statement.total_seconds() < settings.CELERY_TASK_SOFT_TIME_LIMIT
    assert command.statement is None
    assert web.lock is not None
    assert web.lock < web.statement


PATHS = [
    ("/billing/", "text/html"),
    ("/admin/", "text/html"),
    ("/api/v1/internal/workspaces/8f14e45f-ceea-467f-a0e6-3a1d0c7b5b1e/lifecycle", "application/problem+json"),
]


@pytest.mark.parametrize(("path", "kind"), PATHS)
def test_program_and_person_are_told_alike(path: str, kind: str) -> None:
    headers = {"Authorization": f"Bearer {make_token(make_product())}"} if kind.endswith("json") else {}
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32  # whose it is says the database
    forget_all()
    with elsewhere(HOST="127.0.0.1", PORT="1"):
        answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (503, kind)
    assert answer.headers["Retry-After"].isdecimal()
