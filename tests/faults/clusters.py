"""Further PostgreSQL servers beside the test's own: standbys and replicas that are real."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from billing_site.launcher import programs
from billing_site.launcher.places import is_open_to_all
from tests.faults.stacks import free_port, wait_until

_NO_POWER_CUTS = {"fsync": "off"}


class Server:
    """One server with a data folder of its own, on loopback. As root it runs as the user that PostgreSQL runs as."""

    def __init__(self, name: str, **settings: str) -> None:
        self.name = name
        self._folder = Path(tempfile.mkdtemp(prefix="ch-pg-"))
        self.data = self._folder / "data"
        self.port = free_port()
        self._settings: Mapping[str, str] = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self._folder / "log"
        if os.geteuid() == 0:
            shutil.chown(self._folder, *_owner())

    def make(self) -> None:
        """An empty cluster."""
        self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")

    def copy(self, source: str) -> None:
        """A copy of the server that the connection string leads to, which follows it when it is started."""
        self.run(
            "pg_basebackup", "-D", self.data, "-d", source, "--checkpoint=fast", "--write-recovery-conf", "-X", "stream"
        )

    def rewind(self, source: str) -> None:
        """Let a server that was killed follow the one that was promoted in its place."""
        self.run("pg_rewind", "-D", self.data, f"--source-server={source}", "--write-recovery-conf", "--no-sync")

    def start(self) -> None:
        """Start it, and come back when it answers."""
        chosen = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            **_NO_POWER_CUTS,
            **self._settings,
        }
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self.data, *options], stdout=log, stderr=log, **_as_owner()
            )
        wait_until(self.answers, self.said)

    def answers(self) -> bool:
        """Whether it takes connections."""
        assert self._process is None or self._process.poll() is None, self.said()
        with contextlib.suppress(psycopg.OperationalError):
            self.ask("SELECT 1")
            return True
        return False

    def ask(self, statement: str, *parameters: object) -> Any:
        """The first value of a statement of the superuser's."""
        with psycopg.connect(self.string, connect_timeout=5, autocommit=True) as connection:
            row = connection.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    @property
    def string(self) -> str:
        """Where it is, for its superuser."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres application_name={self.name}"

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-4_000:] if self._log.exists() else ""

    def kill(self) -> None:
        """As a machine that loses its power: the server and all its processes are gone at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def clear(self) -> None:
        """Leave nothing behind."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs as its user."""
        done = subprocess.run(
            [_program(program), *arguments], capture_output=True, text=True, check=False, **_as_owner()
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def _owner() -> tuple[int, int]:
    found = pwd.getpwnam("nobody")
    return found.pw_uid, found.pw_gid


def _as_owner() -> dict[str, Any]:
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user, group = _owner()
        who = {"user": user, "group": group, "extra_groups": []}
    # A session of its own, so that all its processes can be killed together.
    return {
        "cwd": "/",
        "env": {"PATH": os.defpath, "TZ": "UTC"},
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,
    } | who


def _program(name: str) -> Path:
    folder = programs.postgres_programs()
    if os.geteuid() == 0 and not is_open_to_all(folder.resolve()):
        folder = _copied(folder)
    return folder / name


def _copied(folder: Path) -> Path:
    """All programs of the wheel where PostgreSQL's user can run them; its libraries lie beside it."""
    copy = Path(tempfile.gettempdir()) / f"countinghouse-postgres-{os.getpid()}"
    site_packages = folder.parents[2]
    if not copy.exists():
        for part in (f"{folder.parents[1].name}/pginstall", f"{folder.parents[1].name}.libs"):
            if (site_packages / part).exists():
                shutil.copytree(site_packages / part, copy / part, symlinks=True)
        subprocess.run(["/bin/chmod", "-R", "a+rX", copy], check=True)
    return copy / folder.relative_to(site_packages)
