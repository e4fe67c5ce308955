"""`manage.py storage`: how big each table is, how fast it grows, and what will be removed of it (spec 14)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from apps.core.retention import MOST_COUNTED, RETENTIONS

# Growth: the rows that came since the statistics began, less those that went, in the size that a row has now. They
# begin with the database, or when somebody resets them, or after a crash.
_TABLES = """
    SELECT s.relname, pg_total_relation_size(s.relid), c.reltuples::bigint,
        (s.n_tup_ins - s.n_tup_del) / days.count
            * pg_total_relation_size(s.relid) / greatest(s.n_live_tup, 1)
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid,
        LATERAL (SELECT greatest(extract(epoch FROM now() - coalesce(d.stats_reset, m.first)) / 86400, 1)::numeric count
            FROM pg_stat_database d, (SELECT min(applied) AS first FROM django_migrations) m
            WHERE d.datname = current_database()) days
    ORDER BY 2 DESC
"""


class Command(BaseCommand):
    help = "Prints the size of each table, its growth a day, and what will be removed of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="Small tables too; else the 25 biggest.")

    def handle(self, *_: Any, all: bool, **__: Any) -> None:  # noqa: A002 - the option's name
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)
            tables = cursor.fetchall()
        self.stdout.write(f"{'table':44}{'size':>12}{'rows, about':>16}{'growth a day':>16}")
        for name, size, rows, growth in tables if all else tables[:25]:
            self.stdout.write(f"{name:44}{_size(size):>12}{max(rows, 0):>16,}{_size(int(growth)):>16}")
        self.stdout.write(f"{'all tables':44}{_size(sum(size for _, size, _, _ in tables)):>12}")
        self.stdout.write(f"\n{'will be removed':24}{'by the job':20}{'of rows after days':>24}{'now due':>16}")
        for retention in RETENTIONS.values():
            due = retention.count_due()
            count = f"{due:,}" if due < MOST_COUNTED else f"{MOST_COUNTED:,} or more"
            self.stdout.write(
                f"{retention.name.replace('_', ' '):24}{retention.job:20}{retention.days:>24,}{count:>16}"
            )


def _size(count: int) -> str:
    """Bytes in kB, MB or GB."""
    amount = abs(count)
    for unit, power in (("GB", 3), ("MB", 2)):
        if amount >= 1000**power:
            return f"{count / 1000**power:,.1f} {unit}"
    return f"{count / 1000:,.0f} kB"
