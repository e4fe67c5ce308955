"""What PostgreSQL says of a database's tables, as lines that can be compared."""

from __future__ import annotations

from typing import Any

# Names that Django makes with a hash are left out: they tell of the order in which tables were made.
_QUERIES = {
    "column": """
        SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default,
            collation_name, is_identity
        FROM information_schema.columns WHERE table_schema = 'public'
        """,
    "constraint": """
        SELECT conrelid::regclass, contype, convalidated, CASE contype WHEN 'c' THEN conname END,
            pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        """,
    "index": """
        SELECT tablename, regexp_replace(indexdef, '_[0-9a-f]{8}(_like|_uniq)?', '_HASH', 'g')
        FROM pg_indexes WHERE schemaname = 'public'
        """,
    "trigger": "SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "function": """
        SELECT proname, pg_get_functiondef(p.oid)
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
        """,
    "storage": """
        SELECT relname, reloptions::text
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
        """,
    "extension": "SELECT extname FROM pg_extension",
}


def read_catalog(connection: Any) -> set[str]:
    """A line for each column, constraint, index, trigger, function and setting of the database."""
    lines = set()
    with connection.cursor() as cursor:
        for kind, query in _QUERIES.items():
            cursor.execute(query)
            lines |= {" | ".join([kind, *map(str, row)]) for row in cursor.fetchall()}
    return lines
