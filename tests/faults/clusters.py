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
from billing_site.launcher.processes import end_with_parent
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

    def copy(self, source: str) -> None:
        """A copy of the server that the connection string leads to, which follows it when it is started."""
        self.run("pg_basebackup", "-D", self.data, "-d", source, "--checkpoint=fast", "--write-recovery-conf")
        # In a file, so that programs which start the server by themselves have them too.
        with (self.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

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
        }
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        test = os.getpid()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self.data, *options],
                stdout=log,
                stderr=log,
                # A test that is killed can not clear up. SIGQUIT ends PostgreSQL at once.
                preexec_fn=lambda: end_with_parent(signal.SIGQUIT, test),  # noqa: PLW1509 - one call of the kernel
                **_as_owner(),
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
            cursor = connection.execute(statement, parameters)
            row = cursor.fetchone() if cursor.description else None
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
        if self._process is None:
            return
        self._process.send_signal(signal.SIGSTOP)  # it starts no more of them
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        wait_until(lambda: not any(Path("/proc", str(pid)).exists() for pid in children))
        self._process = None

    def promote(self) -> None:
        """Let the standby be the primary from now on."""
        assert self.ask("SELECT pg_promote(true, 30)") is True

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


class Pair:
    """A primary with a synchronous standby, begun as a copy of the test's own server."""

    def __init__(self) -> None:
        durable = {"synchronous_commit": "on", "full_page_writes": "on"}
        durable |= {"wal_log_hints": "on", "wal_keep_size": "128MB"}  # what pg_rewind needs
        self.primary = Server("one", synchronous_standby_names="*", **durable)
        self.standby = Server("two", synchronous_standby_names="*", **durable)
        self.servers = (self.primary, self.standby)

    def start(self, source: str) -> None:
        """Copy what is there and let the second follow the first."""
        self.primary.copy(source)
        self.primary.start()
        self.primary.promote()
        self.standby.copy(self.primary.string)
        self.standby.start()
        self.wait_until_synchronous()

    def fail_over(self) -> None:
        """Kill the primary and promote its standby; then no write ends until a standby is back."""
        self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()

    def bring_back(self) -> None:
        """The killed server follows the new primary."""
        self.primary.ask("CHECKPOINT")  # before it the new timeline is not written where pg_rewind looks
        self.standby.rewind(self.primary.string)
        self.standby.start()
        self.wait_until_synchronous()

    def wait_until_synchronous(self) -> None:
        """What the primary answers from now on, the standby has."""
        wait_until(
            lambda: self.primary.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1,
            self.standby.said,
        )

    def clear(self) -> None:
        """Leave nothing behind."""
        for server in self.servers:
            server.clear()

    @property
    def place(self) -> dict[str, str]:
        """Both servers, as Django's settings name them."""
        return {"HOST": "127.0.0.1,127.0.0.1", "PORT": ",".join(str(server.port) for server in self.servers)}

    def url(self, user: str, database: str) -> str:
        """Both servers, as DATABASE_URL names them."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"postgres://{user}@{hosts}/{database}?target_session_attrs=read-write"


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(entry.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


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
