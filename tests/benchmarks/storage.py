"""Bytes that a consumption leaves: on disk by table and index, and in the write-ahead log.

The pages of each relation are counted before and after, so that rows, free space and index pages that split are all in.
WAL is the distance that its end moved, with whatever the background wrote meanwhile, and with images of whole pages
after a checkpoint. What settling adds is apart: an account's charges burn its grants when somebody looks (spec 05).
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.db import connection

from apps.core.ids import RequestId
from apps.credits.models import CreditAccount
from apps.credits.services import credits_consume
from tests.benchmarks.world import World

DISK, WAL, SETTLING_WAL = "bytes on disk a consume, settled", "bytes of WAL a consume", "bytes of WAL, its settling"
# This part of them goes before: an index of a few pages grows in great steps.
_BEFORE = 0.1
_ACCOUNTS_AT_ONCE = 200
_SIZES = """
SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c
WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace
"""


def weigh(world: World, count: int) -> dict[str, float]:
    """Consume so often, one after the other, and settle: bytes a consumption, by the names above and by relation."""
    _settle()
    _consume(world, max(1, round(count * _BEFORE)))
    _settle()
    sizes, end = _sizes(), _wal_end()
    _consume(world, count)
    consumed = _wal_end()
    _settle()
    settled = _wal_end()
    grown = {name: (size - sizes.get(name, 0)) / count for name, size in _sizes().items()}
    return {
        DISK: sum(grown.values()),
        WAL: (consumed - end) / count,
        SETTLING_WAL: (settled - consumed) / count,
        **{name: each for name, each in sorted(grown.items()) if each},
    }


def _consume(world: World, count: int) -> None:
    for _ in range(count):
        context = replace(world.context, request_id=RequestId(str(uuid.uuid4())))
        credits_consume(context, consumption=world.consumption())


def _settle() -> None:
    accounts = list(CreditAccount.objects.order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        for start in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
            cursor.execute("SELECT credits_burn(%s)", [accounts[start : start + _ACCOUNTS_AT_ONCE]])


def _sizes() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return dict(cursor.fetchall())


def _wal_end() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(cursor.fetchone()[0])
