"""Peers from the package index, in an environment of their own under var/, locked as everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from tests.benchmarks.turns import CONNECTIONS
from tests.counterparts.environments import python_environment

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Peer:
    """A process that measures itself for so many seconds whenever it is asked."""

    process: subprocess.Popen[str]

    def rate(self, name: str, seconds: float, connections: int = CONNECTIONS) -> float:
        """How often it did that a second, by so many threads."""
        return self._ask(f"{name} {seconds} {connections}")

    def rows(self) -> int:
        """How many rows its turns have left so far."""
        return int(self._ask("rows"))

    def _ask(self, line: str) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("A peer ended before it was told to; see its log.")
        return float(answer)


@contextmanager
def peer_running(name: str, log: Path, *, size: int = 0) -> Iterator[Peer]:
    """`NAME_peer.py` in a fresh database beside ours, until the block ends."""
    command = [str(python_environment("peers") / "python"), str(_HERE / f"{name}_peer.py")]
    with _running(command, _environment(f"bench_{name}", size), log) as peer:
        yield peer


@contextmanager
def keeper_running(log: Path, *, seconds: float) -> Iterator[Peer]:
    """Our own worker that keeps the rollups, in our database, with so many seconds between two runs."""
    command = [sys.executable, "-m", "tests.benchmarks.rollups_keeper", str(seconds)]
    with _running(command, dict(os.environ), log) as peer:
        yield peer


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Peer]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
        )
    assert process.stdout is not None
    try:
        while (line := process.stdout.readline()).strip() != "ready":
            if not line:
                raise RuntimeError(f"{command[-1]} did not start: {log.read_text(encoding='utf-8')[-2000:]}")
        yield Peer(process)
    finally:
        # It ends where its input does.
        process.communicate()


def _environment(database: str, size: int) -> dict[str, str]:
    settings = connection.get_connection_params()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")
        cursor.execute(f"CREATE DATABASE {database}")
    return {
        "PATH": os.defpath,
        "PEER_DATABASE": database,
        "PEER_USER": str(settings.get("user", "")),
        "PEER_HOST": str(settings.get("host", "")),
        "PEER_SIZE": str(size),
        "PEER_TURNS": str(_HERE),
    }
