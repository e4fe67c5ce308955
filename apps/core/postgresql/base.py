"""The backend itself; Django looks for it under this name."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Self
from weakref import ref

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg import IsolationLevel, pq

from apps.core.postgresql import limits
from apps.core.postgresql.limits import LIMITS, Work
from apps.core.postgresql.watchdog import WATCHDOG

# The server's own limit ends a statement first, with a clearer error, where the server still answers.
_GRACE_SECONDS = 5.0
_CANCEL_SECONDS = 2.0
_UNCONFIRMED = "The server gave up waiting for its synchronous standby; a failover may lose this commit."
_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"  # PostgreSQL's function; its warning has no SQLSTATE of its own
_REFUSED_BY_POOLER = "unsupported startup parameter"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than its kind of work may, and is closed when a wait is interrupted."""

    longest_wait: float | None = None
    was_silent = False
    """Whether it was closed because the server did not answer in time."""
    is_unconfirmed = False
    """Whether the server gave up waiting for its synchronous standby: then a failover may lose what was committed."""

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """As psycopg's own."""
        try:
            if self.longest_wait is None:
                result = super().wait(gen, *args, **kwargs)
            else:
                with WATCHDOG.watch(self, self.longest_wait):
                    result = super().wait(gen, *args, **kwargs)
        except BaseException:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self._leave_statement()
            raise
        if self.is_unconfirmed:
            self.refuse_unconfirmed()
        return result

    def refuse_unconfirmed(self) -> None:
        """Raise as if the connection had broken within the commit: its outcome is unknown, and the key is repeated."""
        self.pgconn.finish()
        raise psycopg.OperationalError(_UNCONFIRMED)

    def _leave_statement(self) -> None:
        """A time limit that is raised in the middle leaves the statement running, and the connection of no use."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_CANCEL_SECONDS)
        self.pgconn.finish()


def _note_unconfirmed(connection: ref[BoundedConnection], notice: psycopg.errors.Diagnostic) -> None:
    found = connection()
    if found is not None and notice.source_function == _WAITS_FOR_STANDBY:
        found.is_unconfirmed = True


class SchemaEditor(DatabaseSchemaEditor):
    """Changes the schema while everybody works: whoever waits for a lock lets nobody pass, so the wait is short."""

    def __enter__(self) -> Self:
        super().__enter__()
        # What runs outside of a transaction builds an index concurrently: it waits long, and blocks nobody.
        if self.atomic_migration and not self.collect_sql:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [f"{limits.MIGRATION_LOCK_MILLISECONDS}ms"]
                )
        return self


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL, direct or behind a pooler that takes no options at a connection's start."""

    SchemaEditorClass = SchemaEditor

    def get_new_connection(self, conn_params: dict[str, Any]) -> BoundedConnection:
        """Connect; without the timeouts where a pooler refuses them: there the role brings them."""
        self.isolation_level = IsolationLevel.READ_COMMITTED  # PostgreSQL's and Django's default
        try:
            raw = BoundedConnection.connect(**conn_params)
        except psycopg.OperationalError as error:
            if "options" not in conn_params or _REFUSED_BY_POOLER not in str(error):
                raise
            without = {name: value for name, value in conn_params.items() if name != "options"}
            raw = BoundedConnection.connect(**without)
            self.settings_dict["OPTIONS"].pop("options", None)  # this process does not try them again
        statement = LIMITS[Work(settings.KIND_OF_WORK)].statement
        raw.add_notice_handler(partial(_note_unconfirmed, ref(raw)))
        raw.longest_wait = None if statement is None else statement.total_seconds() + _GRACE_SECONDS
        return raw

    def ensure_connection(self) -> None:
        """Connect, also where the connection broke meanwhile. Within a transaction its loss is an error."""
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def is_usable(self) -> bool:
        """Whether this session still may write: a server that became a standby answers, and takes nothing."""
        if self.connection is not None and not self.settings_dict.get("ONLY_READS"):
            said = self.connection.info.parameter_status
            if "on" in {said("in_hot_standby"), said("default_transaction_read_only")}:
                return False
        return bool(super().is_usable())
