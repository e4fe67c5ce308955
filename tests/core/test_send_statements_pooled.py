"""The statements of the hot paths behind a pooler: names mean one text, and what was lost is prepared anew.

A pooler in transaction mode gives each transaction any server connection. Here one server connection plays all of them:
between two statements it forgets what was prepared, or has it already, as another one of the pool would.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from django.db import connection, transaction

from apps.core.statements import fetch_all, prepared_name
from apps.tenants.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

SAID = "SELECT 'this', $1::text"
OTHER = "SELECT 'the other', $1::text"
INSERT = (
    "INSERT INTO tenants_product (id, slug, name, billing_mode, membership_export_url, created_at) "
    "VALUES (gen_random_uuid(), $1, 'P', 'shadow', '', now()) RETURNING slug"
)


def raw() -> psycopg.Connection:
    connection.ensure_connection()
    return connection.connection  # type: ignore[no-any-return]


def forget_all() -> None:
    raw().pgconn.exec_(b"DEALLOCATE ALL")


def forget_one() -> None:
    raw().pgconn.exec_(b"DEALLOCATE " + prepared_name(SAID))


def prepare_beforehand() -> None:
    forget_all()
    raw().pgconn.prepare(prepared_name(SAID), SAID.encode())


def give_another_connection() -> None:
    """As after a break: what this process knows of the connection before does not hold for the new one."""
    connection.close()


LOSSES: list[Callable[[], None]] = [forget_all, forget_one, prepare_beforehand, give_another_connection]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
@pytest.mark.parametrize("is_known", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a transaction"])
def test_a_statement_that_is_lost_or_there_already_runs(lose: Callable[[], None], is_known: bool, within: bool) -> None:
    if is_known:
        fetch_all(SAID, ("before",))
    lose()
    if within:
        with transaction.atomic():
            fetch_all(INSERT, ("kept",))
            assert fetch_all(SAID, ("x",)) == [("this", "x")]
        assert Product.objects.filter(slug="kept").exists()
    assert fetch_all(SAID, ("x",)) == [("this", "x")]
    assert fetch_all(OTHER, ("y",)) == [("the other", "y")]


def test_a_loss_in_the_middle_of_a_transaction_aborts_nothing() -> None:
    fetch_all(SAID, ("before",))
    fetch_all(INSERT, ("prepared",))
    with transaction.atomic():
        fetch_all(INSERT, ("first",))
        forget_all()
        assert fetch_all(SAID, ("x",)) == [("this", "x")]
        fetch_all(INSERT, ("second",))
    assert Product.objects.filter(slug__in=["first", "second"]).count() == 2


def test_what_is_prepared_anew_writes_once() -> None:
    fetch_all(INSERT, ("one",))
    forget_all()
    assert fetch_all(INSERT, ("two",)) == [("two",)]
    assert Product.objects.filter(slug__in=["one", "two"]).count() == 2


def test_one_that_is_lost_each_time_is_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler may change the connection between any two messages: then no preparation helps."""
    pgconn = raw().pgconn
    fetch_all(SAID, ("before",))

    class Forgetful:
        def __getattr__(self, name: str) -> object:
            return getattr(pgconn, name)

        def exec_prepared(self, name: bytes, values: list[bytes]) -> object:
            pgconn.exec_(b"DEALLOCATE ALL")
            return pgconn.exec_prepared(name, values)

    monkeypatch.setattr(raw(), "pgconn", Forgetful())
    assert fetch_all(SAID, ("x",)) == [("this", "x")]


def test_a_plan_that_a_migration_made_stale_is_no_error() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_stale (a integer)")
        cursor.execute("INSERT INTO test_stale VALUES (1)")
    try:
        assert fetch_all("SELECT * FROM test_stale WHERE $1 <> ''", ("x",)) == [("1",)]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE test_stale ADD COLUMN b integer DEFAULT 2")
        assert fetch_all("SELECT * FROM test_stale WHERE $1 <> ''", ("x",)) == [("1", "2")]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE test_stale")


def test_a_name_means_one_text_in_every_process() -> None:
    assert prepared_name(SAID) != prepared_name(OTHER)
    assert len(prepared_name(SAID)) < 64  # PostgreSQL cuts names there, and two would become one
    fetch_all(OTHER, ("first",))
    fetch_all(SAID, ("second",))
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, statement FROM pg_prepared_statements")
        assert dict(cursor.fetchall()) == {prepared_name(text).decode(): text for text in (OTHER, SAID)}


def test_django_prepares_nothing_by_itself() -> None:
    """psycopg would name its own by a counter, `_pg3_0` and so on."""
    for number in range(20):
        assert Product.objects.filter(slug=f"p-{number % 2}").count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (0,)
    assert raw().prepare_threshold is None
