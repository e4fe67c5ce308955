"""Brokers of their own for a test: each can be killed, and is empty when it comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from celery import current_app

from billing_site.launcher import programs
from tests.faults.stacks import free_port, wait_until

# Debian's own `rabbitmq-server` on PATH runs the machine's service, whatever the environment says.
_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Broker(Protocol):
    """What a test asks of one. It runs once it is made."""

    url: str

    def start(self) -> None:
        """Start it again."""

    def kill(self) -> None:
        """As a machine that loses its power."""


class Valkey:
    """A Valkey."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [str(programs.valkey_program()), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)


class RabbitMQ:
    """A RabbitMQ, with the name service of Erlang that it needs; the machine has to have it installed."""

    def __init__(self) -> None:
        self._port, self._names = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = Path()
        self.start()

    def start(self) -> None:
        """Come back when it takes connections: it needs many seconds, unlike a Valkey."""
        program = _RABBITMQ if Path(_RABBITMQ).exists() else shutil.which("rabbitmq-server")
        assert program, "Install RabbitMQ for this test (Debian: apt install rabbitmq-server)."
        self._folder = Path(tempfile.mkdtemp(prefix="ch-rabbit-"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": "countinghouse@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
        }
        for command in (["epmd", "-address", "127.0.0.1"], [program]):
            with (self._folder / "out").open("ab") as out:
                self._processes.append(
                    subprocess.Popen(
                        command,
                        cwd=self._folder,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                    )
                )
        wait_until(self._answers, self._said)

    def kill(self) -> None:
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        self._processes.clear()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        assert self._processes[-1].poll() is None, self._said()
        with current_app.connection_for_write(self.url, connect_timeout=2) as connection:
            try:
                connection.connect()
            except OSError:
                return False
        return True

    def _said(self) -> str:
        return (self._folder / "out").read_text(encoding="utf-8", errors="replace")[-4_000:]
