"""How the statements of the hot path are sent: prepared once, within Django's transactions, and again after a break."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from apps.core.statements import fetch_all
from apps.tenants.models import Product

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "SELECT pg_backend_pid(), $1"
INSERT = (
    "INSERT INTO tenants_product (id, slug, name, billing_mode, membership_export_url, created_at) "
    "VALUES (gen_random_uuid(), $1, 'P', 'shadow', '', now()) RETURNING slug"
)


def end_backend(pid: str) -> None:
    """As a restart of the server does it to a connection that lies idle."""
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [int(pid)])
    other.close()


def test_values_go_and_come_as_text_and_nothing_as_none() -> None:
    [row] = fetch_all("SELECT $1::integer + 1, $2::text, NULL", (1, None))
    assert row == ("2", None, None)


def test_a_connection_that_broke_while_idle_is_made_anew() -> None:
    [(pid, _)] = fetch_all(BACKEND, ("a",))
    end_backend(pid)
    [(after, said)] = fetch_all(BACKEND, ("b",))
    assert said == "b"
    assert after != pid


def test_a_connection_that_breaks_within_a_transaction_is_not_replaced() -> None:
    """What the transaction did before is lost; going on would commit a half."""

    def broken_halfway() -> None:
        with transaction.atomic():
            fetch_all(INSERT, ("lost",))
            [(pid, _)] = fetch_all(BACKEND, ("a",))
            end_backend(pid)
            fetch_all(BACKEND, ("b",))

    with pytest.raises(OperationalError):
        broken_halfway()
    assert not Product.objects.filter(slug="lost").exists()


@pytest.mark.parametrize("is_kept", [True, False])
def test_it_stands_within_djangos_transaction(is_kept: bool) -> None:
    with transaction.atomic():
        fetch_all(INSERT, ("in a transaction",))
        transaction.set_rollback(not is_kept)
    assert Product.objects.filter(slug="in a transaction").exists() is is_kept


def test_what_the_database_refuses_is_djangos_error_and_leaves_the_connection_of_use() -> None:
    fetch_all(INSERT, ("one",))
    with pytest.raises(IntegrityError, match="tenants_product"):
        fetch_all(INSERT, ("one",))
    assert not connection.needs_rollback
    assert fetch_all(BACKEND, ("c",))[0][1] == "c"
