"""Tries the servers that the environment names before anything is started, and says in a sentence what is wrong."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from kombu.connection import Connection

from apps.core.postgresql.base import BoundedConnection
from apps.core.postgresql.probe import ForgetfulPoolerError, find_forgetful_pooler
from billing_site import configuration
from billing_site.launcher.errors import LauncherError

OLDEST_POSTGRES = 15
_PATIENCE_SECONDS = 5


def refuse_unreachable(*, with_broker: bool) -> None:
    """Raise with one sentence for each server that is named and does not serve. Embedded ones are not looked at.

    A pooler that loses prepared statements does not serve the stack. A command asks that itself.
    """
    problems = [_database_problem(os.environ.get("DATABASE_URL", "").strip(), with_pooler=with_broker)]
    if with_broker:
        problems.append(_broker_problem(os.environ.get("CELERY_BROKER_URL", "").strip()))
    found = [problem for problem in problems if problem]
    if found:
        raise LauncherError("\n".join(found))


def connection_parameters(database: configuration.DatabaseSettings) -> dict[str, Any]:
    """What psycopg needs to reach a database of Django's."""
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    found = {ours: database[theirs] for theirs, ours in names.items() if database.get(theirs)}
    options = database.get("OPTIONS", {})
    return found | {name: value for name, value in options.items() if name not in configuration.DJANGO_OPTIONS}


def _database_problem(url: str, *, with_pooler: bool) -> str | None:
    if not url:
        return None
    parameters = {"connect_timeout": _PATIENCE_SECONDS} | connection_parameters(configuration.database(url))
    try:
        with psycopg.connect(**parameters) as connection:
            version = connection.info.server_version // 10_000
        if with_pooler:
            find_forgetful_pooler(lambda: BoundedConnection.connect(**parameters, autocommit=True))
    except ForgetfulPoolerError as error:
        return str(error)
    except psycopg.Error as error:
        return f"DATABASE_URL: the database can't be used ({_first_line(error)}). Start PostgreSQL, or correct the URL."
    if version < OLDEST_POSTGRES:
        return f"DATABASE_URL leads to PostgreSQL {version}; {OLDEST_POSTGRES} or newer is needed."
    return None


def _broker_problem(url: str) -> str | None:
    if not url:
        return None
    try:
        with Connection(url, connect_timeout=_PATIENCE_SECONDS) as broker:  # type: ignore[no-untyped-call]
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=_PATIENCE_SECONDS)
            broker.default_channel  # noqa: B018 - opening the channel is what reaches a Redis-protocol broker
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        return f"CELERY_BROKER_URL: the broker can't be used ({_first_line(error)}). Start it, or correct the URL."
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
