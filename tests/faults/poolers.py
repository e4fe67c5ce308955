"""Poolers in transaction mode between the product and the test's own PostgreSQL.

`PgBouncer` is the real one, where the machine has it. `ForgetfulPooler` is written here: as PgBouncer before 1.21, it
hands each transaction any server connection and knows nothing of prepared statements.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from billing_site.launcher.places import PROJECT, state_folder
from tests.faults.stacks import free_port, wait_until

_AUTHENTICATION_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
_IDLE = b"Z\x00\x00\x00\x05I"
_STARTUP = 196_608
_LISTENS_TO = ("user", "database", "client_encoding", "application_name", "DateStyle", "TimeZone", "replication")


def server_socket_folder() -> str:
    """Where the test's PostgreSQL listens."""
    query = parse_qs(urlsplit(settings.DATABASE_URL).query)
    return query["host"][0]


def version_of(program: str) -> tuple[int, ...]:
    """Such as (1, 24, 1)."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()[1].split(".")))


def pgbouncer_program() -> str:
    """A PgBouncer that knows prepared statements: the one named or on PATH, or one that is built once."""
    chosen = os.environ.get("COUNTINGHOUSE_PGBOUNCER") or shutil.which("pgbouncer")
    if chosen and version_of(chosen) >= (1, 21):
        return chosen
    target = state_folder() / "pgbouncer"
    built = target / "bin" / "pgbouncer"
    if not built.exists():
        subprocess.run([PROJECT / ".ci" / "pgbouncer", target], check=True)
    return str(built)


class PgBouncer:
    """A pgbouncer process before a PostgreSQL: the test's own until it is led to another one."""

    def __init__(self, program: str, database: str, user: str, options: Mapping[str, str]) -> None:
        self._database, self._user = database, user
        self._folder = Path(tempfile.mkdtemp(prefix="ch-pooler-"))
        self._folder.chmod(0o777)
        self.port = free_port()
        self.url = f"postgres://{user}@127.0.0.1:{self.port}/{database}"
        owner = pwd.getpwuid(Path(server_socket_folder()).stat().st_uid).pw_name
        self._options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "max_client_conn": "200",
            "default_pool_size": "6",
            "logfile": str(self._folder / "log"),
            **({"user": owner} if os.geteuid() == 0 else {}),
            **options,
        }
        self._configuration = self._folder / "pgbouncer.ini"
        self._write(f"host={server_socket_folder()}")
        self._process = subprocess.Popen(
            [program, str(self._configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, self.said)

    def lead_to(self, port: int) -> None:
        """To the server at this port of this machine, as after a failover: its configuration is read again."""
        self._write(f"host=127.0.0.1 port={port}")
        self._process.send_signal(signal.SIGHUP)

    def _write(self, server: str) -> None:
        led = f"{self._database} = {server} dbname={self._database} user={self._user}"
        lines = ["[databases]", led, "[pgbouncer]", *(f"{name} = {value}" for name, value in self._options.items())]
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._configuration.chmod(0o644)

    def said(self) -> str:
        log = self._folder / "log"
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._folder)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.said()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class ForgetfulPooler:
    """A pooler that gives each transaction the server connection that was used the longest time ago."""

    def __init__(self, database: str, user: str, connections: int = 3) -> None:
        self._names = {"user": user, "database": database}
        self._idle: SimpleQueue[socket.socket] = SimpleQueue()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"postgres://{user}@127.0.0.1:{self.port}/{database}"
        self._parameters = b""
        for _ in range(connections):
            self._idle.put(self._connected())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for opened in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _connected(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{server_socket_folder()}/.s.PGSQL.5432")
        self._open.append(server)
        words = "".join(f"{name}\0{value}\0" for name, value in self._names.items()).encode() + b"\0"
        server.sendall((len(words) + 8).to_bytes(4) + _STARTUP.to_bytes(4) + words)
        while (message := _message(server))[:1] != b"Z":
            if message[:1] == b"S":
                self._parameters += message
        return server

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            self._welcome(client)
            while True:
                self._carry_out_one_transaction(client)

    def _welcome(self, client: socket.socket) -> None:
        length, code = (int.from_bytes(_exactly(client, 4)) for _ in range(2))
        asked = _exactly(client, length - 8).split(b"\0")
        if code != _STARTUP:
            client.sendall(b"N")  # no TLS, no GSSAPI; the client asks again
            self._welcome(client)
            return
        unknown = [name for name in asked[:-2:2] if name.decode() not in _LISTENS_TO]
        if unknown:
            client.sendall(_error("08P01", f"unsupported startup parameter: {unknown[0].decode()}"))
            raise EOFError
        client.sendall(_AUTHENTICATION_OK + self._parameters + _IDLE)

    def _carry_out_one_transaction(self, client: socket.socket) -> None:
        request = _message(client)  # waits here without a server
        server = self._idle.get()
        try:
            while True:
                if request[:1] == b"X":
                    raise EOFError
                server.sendall(request)
                if request[:1] in {b"S", b"Q"} and _relay(server, client):
                    return
                request = _message(client)
        finally:
            self._idle.put(server)


def _relay(server: socket.socket, client: socket.socket) -> bool:
    """Hand on one answer. Whether the transaction is over."""
    while True:
        message = _message(server)
        client.sendall(message)
        if message[:1] == b"Z":
            return message[5:] == b"I"


def _message(source: socket.socket) -> bytes:
    head = _exactly(source, 5)
    return head + _exactly(source, int.from_bytes(head[1:]) - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = source.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _error(state: str, text: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0C{state}\0M{text}\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4) + fields
