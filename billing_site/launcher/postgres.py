"""The embedded PostgreSQL. What it uses is in PostgreSQL 15 already (spec 12)."""

from __future__ import annotations

import locale
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from billing_site.launcher import places, programs
from billing_site.launcher.engines import Engine
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.processes import Identity, spawn

ROLE = "countinghouse"
DATABASE = "countinghouse"
_UNPRIVILEGED_USER = "nobody"
_MAX_CONNECTIONS = 200


class Postgres(Engine):
    """PostgreSQL with the role and the database of the product. As root it runs as an unprivileged user."""

    name = "postgres"
    variable = "DATABASE_URL"
    # Fast shutdown; then without a checkpoint, which the next start makes good; then by force.
    stop_signals = ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))

    @property
    def folder(self) -> Path:
        return places.postgres_folder()

    @property
    def data(self) -> Path:
        """The cluster; its owner alone can enter it."""
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def mark(self) -> str:
        return str(self.data)

    def start(self) -> subprocess.Popen[bytes]:
        identity = _server_identity()
        owner = None if identity is None else (identity.user, identity.group)
        folder = programs.reachable_postgres_programs()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(folder, identity, owner)
        places.make_folder(self.data, 0o700, owner)
        socket_folder = places.postgres_socket_folder()
        places.make_folder(places.make_home(socket_folder.parent) / socket_folder.name, 0o700, owner)
        return spawn(
            [folder / "postgres", "-D", self.data, *_settings(socket_folder)],
            log=self.log,
            environment=_environment(),
            folder=Path("/"),
            end_signal=signal.SIGINT,
            identity=identity,
        )

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(
                host=str(places.postgres_socket_folder()), user="postgres", dbname="postgres", autocommit=True
            ) as connection:
                _ensure_role_and_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _make_cluster(self, folder: Path, identity: Identity | None, owner: tuple[int, int] | None) -> None:
        """A new cluster, made beside its place and then moved there: an interrupted one is never taken for whole."""
        fresh = self.data.with_name("data.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        places.make_folder(fresh, 0o700, owner)
        command: list[str | Path] = [
            folder / "initdb",
            "-D",
            fresh,
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
        ]
        made = subprocess.run(
            [*command, f"--locale={_locale()}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=None if identity is None else identity.user,
            group=None if identity is None else identity.group,
            extra_groups=None if identity is None else [],
        )
        if made.returncode:
            raise LauncherError(f"PostgreSQL's initdb failed in {fresh}:\n{made.stdout}{made.stderr}")
        fresh.rename(self.data)


def _server_identity() -> Identity | None:
    """Who PostgreSQL runs as; None: as this user."""
    if not places.runs_as_root():
        return None
    try:
        found = pwd.getpwnam(_UNPRIVILEGED_USER)
    except KeyError:
        raise LauncherError(
            f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED_USER} to run it. Run as an ordinary "
            "user, or set DATABASE_URL."
        ) from None
    return Identity(found.pw_uid, found.pw_gid)


def _settings(socket_folder: Path) -> list[str]:
    quoted = '"' + str(socket_folder).replace('"', '""') + '"'
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": quoted,
        "unix_socket_permissions": "0700",
        "max_connections": str(_MAX_CONNECTIONS),
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if _is_test():
        # Data of tests need not survive a power cut.
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": _locale(), "TZ": "UTC"}


def _locale() -> str:
    """The cluster's locale: Unicode's rules in byte order where the system has them, so that machines agree."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _is_test() -> bool:
    return os.environ.get("DJANGO_ENV") == "test"


def _ensure_role_and_database(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).rowcount:
        # May make databases, because tests make their own; is no superuser, as in production.
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
    if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    if _is_test():
        # Tests empty append-only tables between them.
        connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))
