"""How long each kind of work may keep the database, and under which name the server knows it (spec 14, Topology).

Two ways lead to the server. A direct connection sends the limits as options at its start. A pooler shares its
connections among all, so that there the limits belong to the database role (`manage.py database_roles`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from django.db import DEFAULT_DB_ALIAS


class Work(Enum):
    """What a process does. The setting `KIND_OF_WORK` says which kind this process does."""

    WEB = "web"
    JOBS = "jobs"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one kind of work; None is no limit."""

    statement: timedelta | None
    lock: timedelta | None
    idle_in_transaction: timedelta | None
    connect: timedelta

    @property
    def settings(self) -> dict[str, str]:
        """The server's settings and their values."""
        return {
            "statement_timeout": _milliseconds(self.statement),
            "lock_timeout": _milliseconds(self.lock),
            "idle_in_transaction_session_timeout": _milliseconds(self.idle_in_transaction),
        }


LIMITS: dict[Work, Limits] = {
    # A client of the web server waits some seconds, and asks again with its key.
    Work.WEB: Limits(
        statement=timedelta(seconds=15),
        lock=timedelta(seconds=5),
        idle_in_transaction=timedelta(seconds=30),
        connect=timedelta(seconds=5),
    ),
    # Below the time limit of a task, so that the task sees the error itself.
    Work.JOBS: Limits(
        statement=timedelta(seconds=200),
        lock=timedelta(seconds=30),
        idle_in_transaction=timedelta(seconds=240),
        connect=timedelta(seconds=10),
    ),
    # Somebody watches a command: a migration or a check of the whole ledger takes the time that it takes.
    Work.COMMAND: Limits(
        statement=None,
        lock=timedelta(seconds=60),
        idle_in_transaction=timedelta(hours=1),
        connect=timedelta(seconds=10),
    ),
}

# How long a migration waits for a lock before it lets go and is tried again (spec 14, Upgrades).
MIGRATION_LOCK_MILLISECONDS = 4_000

_REPLICA_CONNECT_SECONDS = 2
# A server that is gone without a word is noticed by the kernel; the server's own limits end with the server.
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def connection_options(work: Work, *, sends_timeouts: bool) -> dict[str, Any]:
    """What Django hands to psycopg for this kind of work. A URL's own options are stronger."""
    limits = LIMITS[work]
    options: dict[str, Any] = {
        # PGAPPNAME and the URL may name it better.
        "fallback_application_name": f"countinghouse-{work.value}",
        "connect_timeout": int(limits.connect.total_seconds()),
        **_KEEPALIVE,
    }
    if sends_timeouts:
        options["options"] = " ".join(f"-c {name}={value}" for name, value in limits.settings.items())
    return options


def database_settings(url: dict[str, Any], work: Work, *, sends_timeouts: bool) -> dict[str, Any]:
    """Django's settings of the database that DATABASE_URL names."""
    return {
        **url,
        "ENGINE": "apps.core.postgresql",
        "OPTIONS": {**connection_options(work, sends_timeouts=sends_timeouts), **url.get("OPTIONS", {})},
        # A cursor on the server does not outlive its transaction behind a pooler; long lists are read in pieces.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # A new connection each request costs 6.7 times as much (spec 11, Speed).
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def replica_settings(url: dict[str, Any], work: Work, *, sends_timeouts: bool) -> dict[str, Any]:
    """Django's settings of the replica that REPORTS_DATABASE_URL names: nothing is written there, and it is not waited
    for long, because the primary can answer in its place.
    """
    found = database_settings(url, work, sends_timeouts=sends_timeouts)
    options = {"connect_timeout": _REPLICA_CONNECT_SECONDS, **url.get("OPTIONS", {})}
    if sends_timeouts:
        options["options"] = f"{found['OPTIONS']['options']} -c default_transaction_read_only=on"
    return {
        **found,
        "OPTIONS": {**found["OPTIONS"], **options},
        "ONLY_READS": True,
        "TEST": {"MIRROR": DEFAULT_DB_ALIAS},
    }


def _milliseconds(limit: timedelta | None) -> str:
    return "0" if limit is None else str(limit // timedelta(milliseconds=1))
