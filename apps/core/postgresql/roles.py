"""The database's roles for web and jobs: their timeouts, and no more rights than they need (spec 14, Topology)."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from apps.core.postgresql.limits import LIMITS, Work

ROLES = (Work.WEB, Work.JOBS)
LONGEST_PREFIX = 40


def role_statements(*, prefix: str, database: str, existing: frozenset[str]) -> Iterator[sql.Composed]:
    """What makes or renews the roles `<prefix>_web` and `<prefix>_jobs`. Carried out again it changes nothing.

    To be run by the role that owns the tables, so that what later migrations add is theirs to use too. They may read
    and write rows; they may not change tables, switch off triggers, or empty a table at one stroke.
    """
    for work in ROLES:
        name = f"{prefix}_{work.value}"
        role, place = sql.Identifier(name), sql.Identifier(database)
        if name not in existing:
            yield sql.SQL("CREATE ROLE {} LOGIN").format(role)
        yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(place, role)
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role)
        for rights, things in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
            granted = {"rights": sql.SQL(rights), "things": sql.SQL(things), "role": role}
            yield sql.SQL("GRANT {rights} ON ALL {things} IN SCHEMA public TO {role}").format(**granted)
            yield sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {things} TO {role}").format(
                **granted
            )
        settings = {**LIMITS[work].settings, "application_name": f"countinghouse-{work.value}"}
        for setting, value in settings.items():
            yield sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                role, place, sql.Identifier(setting), sql.Literal(value)
            )
