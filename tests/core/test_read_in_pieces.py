"""Long lists are read whole, in order, in pieces, without a cursor that outlives its transaction."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from apps.core.models import AuditEntry
from apps.core.pieces import in_one_transaction, in_pieces
from tests.core.tampering import grow

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [
    ["sequence", "id"],
    ["-sequence", "id"],
    ["target_id", "organization_id", "-sequence"],
    ["pk"],
    ["-recorded_at", "id"],
]


def rows() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(organization_id__isnull=False)


@pytest.fixture
def entries() -> int:
    for _ in range(3):
        grow(uuid.uuid4(), 7)  # type: ignore[arg-type]  # any id will do
    return 21


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 7, 20, 21, 22, 1_000])
@pytest.mark.slow
def test_every_row_once_in_the_order_of_its_key(entries: int, key: list[str], size: int) -> None:
    expected = list(rows().order_by(*key))
    assert list(in_pieces(rows(), key=key, size=size)) == expected
    assert len(expected) == entries


@pytest.mark.parametrize("size", [1, 4, 21, 100])
def test_one_statement_in_pieces(entries: int, size: int) -> None:
    expected = list(rows().order_by("id").values_list("id", "sequence"))
    read = in_one_transaction(rows().order_by("id").values_list("id", "sequence"), size=size)
    assert list(read) == expected


def test_nothing_at_all_is_no_row() -> None:
    assert list(in_pieces(rows())) == []
    assert list(in_one_transaction(rows().values_list("id"), size=5)) == []


def test_it_needs_no_more_than_a_piece_at_a_time(entries: int) -> None:
    reading = in_pieces(rows(), size=5)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        next(reading)
        assert len(queries) == 1
        assert "LIMIT 5" in queries[0]["sql"]
        list(reading)
    assert len(queries) == 5
    assert not any("DECLARE" in query["sql"] for query in queries)


def test_a_reader_may_change_what_it_reads_and_another_connection_serves_each_piece(entries: int) -> None:
    seen = []
    for entry in in_pieces(rows(), key=["organization_id", "sequence"], size=4):
        seen.append(entry.pk)
        if random.random() < 0.3:  # noqa: S311 - any places will do
            connection.close()  # as a pooler does it between two transactions
    assert len(set(seen)) == len(seen) == entries


def test_one_that_stops_in_the_middle_leaves_no_transaction(entries: int) -> None:
    reading: Any = in_one_transaction(rows().values_list("id"), size=2)
    next(reading)
    assert connection.in_atomic_block
    reading.close()
    assert not connection.in_atomic_block
    with transaction.atomic():
        assert rows().count() == entries
