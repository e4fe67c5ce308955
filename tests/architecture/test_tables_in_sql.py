"""Raw SQL names tables and columns that exist, and another app's tables only where it must (spec 10).

What an app above needs of a table below, the app that owns the table offers as a piece of SQL. The functions of the
ledger are one statement each, so that they name tables of other apps themselves, in the files listed here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from django.apps import apps

from tests.architecture.sources import PROJECT, sources

TABLES = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
OUR_TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE)\s+((?:core|tenants|subscriptions|credits|connectors|payments|reporting|backoffice)_\w+)(?!\w*\()"
)
INSERTED = re.compile(r"INSERT INTO (\w+)(?: AS \w+)? \(([^()]*)\)")
# Each file beside the apps whose tables it names.
FOREIGN = {
    "apps/credits/migrations/sql/0002/facts.sql": {"subscriptions", "tenants"},
    "apps/credits/migrations/sql/0002/consume.sql": {"core"},
    "apps/credits/migrations/sql/0002/consume_set.sql": {"core"},
    "apps/credits/migrations/sql/0009/facts.sql": {"subscriptions", "tenants"},
    "apps/credits/migrations/sql/0009/ledger.sql": {"tenants"},
    "apps/credits/migrations/sql/0009/consume.sql": {"core"},
    "apps/credits/migrations/sql/0009/consume_set.sql": {"core", "tenants"},
    "apps/credits/migrations/sql/0018/facts.sql": {"subscriptions", "tenants"},
    "apps/credits/migrations/sql/0018/consume.sql": {"core"},
    "apps/credits/migrations/sql/0018/consume_set.sql": {"core", "tenants"},
    "apps/credits/migrations/sql/0020/consume.sql": {"core"},
    "apps/credits/migrations/sql/0020/consume_set.sql": {"core", "tenants"},
    "apps/credits/migrations/sql/0022/consume_set.sql": {"core", "tenants"},
    "apps/credits/migrations/sql/0025/charged_before.sql": {"tenants"},
}


def statements() -> Iterator[tuple[str, str]]:
    """Each text of the product that may hold SQL, with the path of its file."""
    for source in sources("apps"):
        for node in source.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield source.path, node.value
    for path in sorted(PROJECT.glob("apps/*/migrations/sql/**/*.sql")):
        yield str(path.relative_to(PROJECT)), path.read_text(encoding="utf-8")


def test_raw_sql_names_tables_of_its_own_app_alone() -> None:
    foreign: dict[str, set[str]] = {}
    seen = 0
    for path, text in statements():
        for table in OUR_TABLE.findall(text):
            assert table in TABLES, f"{path}: {table} is no table of a model"
            seen += 1
            owner = TABLES[table]._meta.app_label
            if owner != path.split("/")[1]:
                foreign.setdefault(path, set()).add(owner)
    assert seen > 50
    assert foreign == FOREIGN


def test_raw_sql_inserts_columns_that_exist() -> None:
    seen = 0
    for path, text in statements():
        for table, columns in INSERTED.findall(text):
            if table not in TABLES:
                continue
            known = {field.column for field in TABLES[table]._meta.concrete_fields}
            unknown = {column.strip() for column in columns.split(",")} - known
            assert not unknown, f"{path}: {table} has no column {unknown}"
            seen += 1
    assert seen > 5
