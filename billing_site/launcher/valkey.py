"""The embedded Valkey. It keeps nothing on the disk: what was queued is found again from the database (spec 11)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import redis

from billing_site.launcher import places, programs
from billing_site.launcher.engines import Engine
from billing_site.launcher.processes import spawn


class Valkey(Engine):
    """A broker that refuses rather than forgets when its memory is full."""

    name = "valkey"
    variable = "CELERY_BROKER_URL"
    stop_signals = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    @property
    def folder(self) -> Path:
        return places.valkey_folder()

    @property
    def pid_file(self) -> Path:
        return self.folder / "server.pid"

    @property
    def mark(self) -> str:
        return str(places.valkey_socket())

    def start(self) -> subprocess.Popen[bytes]:
        socket = places.valkey_socket()
        places.make_folder(places.make_home(socket.parent.parent) / socket.parent.name, 0o700)
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.pid_file),
            "daemonize": "no",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        return spawn(
            [programs.valkey_program(), *(part for name, value in settings.items() for part in (f"--{name}", value))],
            log=self.log,
            environment={"PATH": os.defpath},
            folder=self.folder,
            end_signal=signal.SIGTERM,
        )

    def is_ready(self) -> bool:
        client = redis.Redis(unix_socket_path=str(places.valkey_socket()))
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
