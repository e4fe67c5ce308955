"""Where reports, exports and lists of history are read: from the replica of REPORTS_DATABASE_URL, or from the primary.

A page that may be some seconds old asks `history_source` once and reads with `.using(source.database)`. Nothing else
ever reads from the replica (spec 14, Topology): money, gates and forms ask the primary, and so does whoever has just
changed something: a cookie says so until the replica must have it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter

log = structlog.get_logger(__name__)

REPORTS = "reports"
OWN_WRITE_COOKIE = "own_write"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TOLD_FROM = timedelta(seconds=5)
_ASKED_AGAIN_SECONDS = 1.0
# A replica that does not answer costs each process a wait to connect; so it is left alone for a while.
_LEFT_ALONE_SECONDS = 10.0

# A standby that was asked in the middle of its start or its promotion answers these questions too.
_POSITION = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
# An idle primary writes nothing, so the moment of the last replayed commit alone would call its replica old.
_LAG = """
    SELECT pg_is_in_recovery(), CASE WHEN pg_last_wal_replay_lsn() >= %s::pg_lsn THEN interval '0'
        ELSE GREATEST(interval '0', clock_timestamp() - COALESCE(pg_last_xact_replay_timestamp(), 'epoch')) END
"""

FALLBACKS = Counter(
    "countinghouse_replica_fallbacks",
    "Pages read from the primary because the replica is away (cause away) or too far behind (cause behind).",
    labelnames=["cause"],
)


@dataclass(frozen=True, slots=True)
class Source:
    """The database to read from, how old its data are, and why it is not the replica where that can't be used."""

    database: str = DEFAULT_DB_ALIAS
    age: timedelta = timedelta(0)
    fallback: str = ""

    @property
    def sentence(self) -> str:
        """What the page says about the age of its data; empty where that is nothing to speak of."""
        if self.age <= _TOLD_FROM:
            return ""
        seconds = int(self.age.total_seconds())
        return f"These data are {seconds} seconds old: they are read from a copy that is behind. Reload for newer ones."


PRIMARY = Source()


class NoReplicaError(DatabaseError):
    """REPORTS_DATABASE_URL leads to a server that is no replica."""


class _Replica:
    """What this process knows of the replica, asked again after a moment."""

    def __init__(self) -> None:
        self._source = PRIMARY
        self._until = 0.0

    def forget(self) -> None:
        """Ask at the next use."""
        self._until = 0.0

    def source(self) -> Source:
        """Where to read now. Threads that come at once may all ask; it costs two short statements."""
        if time.monotonic() >= self._until:
            self._source = _ask()
            seconds = _LEFT_ALONE_SECONDS if self._source.fallback == "away" else _ASKED_AGAIN_SECONDS
            self._until = time.monotonic() + seconds
        return self._source


replica = _Replica()


def is_configured() -> bool:
    """Whether there is a replica to read from."""
    return REPORTS in connections.databases


def history_source(request: HttpRequest) -> Source:
    """Where a page that only shows reports or history reads; the same for the whole request, which its frame shows."""
    marked: Any = request
    if not hasattr(marked, "history_source"):
        marked.history_source = _choose(request)
    found: Source = marked.history_source
    return found


def replica_lag() -> timedelta:
    """How old the replica's data are; zero where it has all that the primary had when this was called.

    Raises Django's database errors where one of the two does not answer, `NoReplicaError` where it is no replica.
    """
    with connection.cursor() as cursor:
        cursor.execute(_POSITION)
        [position] = cursor.fetchone()
    with connections[REPORTS].cursor() as cursor:
        cursor.execute(_LAG, [position])
        is_replica, lag = cursor.fetchone()
    if not is_replica:
        raise NoReplicaError("REPORTS_DATABASE_URL leads to a server that replays nothing.")
    found: timedelta = lag
    return found


def _choose(request: HttpRequest) -> Source:
    if not is_configured():
        return PRIMARY
    if connection.in_atomic_block or request.method not in _READING or OWN_WRITE_COOKIE in request.COOKIES:
        return PRIMARY
    found = replica.source()
    if found.fallback:
        FALLBACKS.labels(found.fallback).inc()
    return found


def _ask() -> Source:
    connection.ensure_connection()  # that the primary is away is no fault of the replica
    try:
        lag = replica_lag()
    except (DatabaseError, InterfaceError) as error:
        log.warning("replica_away", cause=type(error).__name__, detail=str(error))
        return Source(fallback="away")
    if lag.total_seconds() > settings.REPORTS_LARGEST_LAG_SECONDS:
        log.warning("replica_behind", seconds=int(lag.total_seconds()))
        return Source(fallback="behind")
    return Source(REPORTS, lag)


class OwnWritesMiddleware:
    """Marks a browser that changed something, until a replica that is still read from must have it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not is_configured():
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.method not in _READING:
            # A replica further behind is not read from; the second more is for what we knew of it a second ago.
            seconds = settings.REPORTS_LARGEST_LAG_SECONDS + int(_ASKED_AGAIN_SECONDS) + 1
            secure = settings.SESSION_COOKIE_SECURE
            response.set_cookie(OWN_WRITE_COOKIE, "1", seconds, secure=secure, httponly=True, samesite="Lax")
        return response
