"""No index repeats what another one can do: each costs every write, and disk (spec 11, Speed)."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

# One whose columns begin another of the same table in the same order, where it is neither unique nor partial.
_REDUNDANT = """
    WITH ours AS (
        SELECT i.indexrelid, i.indrelid, i.indisunique, pg_get_expr(i.indpred, i.indrelid) AS predicate, am.amname,
            ARRAY(
                SELECT pg_get_indexdef(i.indexrelid, n, false) || o.opcname || (i.indoption[n - 1] & 1)::text
                FROM generate_series(1, i.indnkeyatts) n JOIN pg_opclass o ON o.oid = i.indclass[n - 1] ORDER BY n
            ) AS keys,
            i.indnkeyatts = i.indnatts AS is_bare
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
        JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE n.nspname = 'public' AND am.amname = 'btree' AND split_part(t.relname, '_', 1) = ANY (%s)
    )
    SELECT a.indexrelid::regclass::text, b.indexrelid::regclass::text
    FROM ours a JOIN ours b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
    WHERE NOT a.indisunique AND a.is_bare AND a.predicate IS NOT DISTINCT FROM b.predicate
        AND a.keys = b.keys[1:cardinality(a.keys)]
        AND (cardinality(a.keys) < cardinality(b.keys) OR b.indisunique OR a.indexrelid > b.indexrelid)
    ORDER BY 1, 2
"""
# Keys of Django's own join tables, and of an abstract model, whose other tables have no such second index.
_KEPT = ("tenants_user_groups_", "tenants_user_user_permissions_", "payments_provider")
_OURS = ["core", "tenants", "subscriptions", "credits", "connectors", "payments", "reporting", "backoffice"]


def redundant() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_REDUNDANT, [_OURS])
        return [(first, second) for first, second in cursor.fetchall() if not first.startswith(_KEPT)]


def test_no_index_begins_another_one() -> None:
    assert redundant() == []


def test_the_query_finds_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX planted ON core_auditentry (target_type)")
    assert redundant() == [("planted", "audit_entry_target")]
