"""Peers from the package index, in an environment of their own under var/, locked as everything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from billing_site.launcher import places

_LOCK = places.PROJECT / ".requirements" / "peers.txt"
_HERE = Path(__file__).resolve().parent


@dataclass(slots=True)
class Peer:
    """A process that measures itself for so many seconds whenever it is asked."""

    process: subprocess.Popen[str]

    def rate(self, seconds: float) -> float:
        """Transactions a second."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Close its input and wait."""
        self.process.communicate()


def peer_python() -> Path:
    """The interpreter of the peers' environment, which is made once for each lock."""
    folder = places.PROJECT / "var" / "peers"
    python, note = folder / "bin" / "python", folder / "lock.txt"
    if not note.exists() or note.read_bytes() != _LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", str(_LOCK)]
        subprocess.run([python, *install], check=True)
        shutil.copyfile(_LOCK, note)
    return python


def hordak_start(size: int, log: Path) -> Peer:
    """django-hordak in a fresh database beside ours."""
    settings = connection.get_connection_params()
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS bench_hordak")
        cursor.execute("CREATE DATABASE bench_hordak")
    environment = {
        "PATH": os.defpath,
        "PEER_DATABASE": "bench_hordak",
        "PEER_USER": str(settings.get("user", "")),
        "PEER_HOST": str(settings.get("host", "")),
        "PEER_SIZE": str(size),
        "PEER_TURNS": str(_HERE),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [peer_python(), str(_HERE / "hordak_peer.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    assert process.stdout is not None
    while (line := process.stdout.readline()).strip() != "ready":
        if not line:
            raise RuntimeError(f"django-hordak did not start: {log.read_text(encoding='utf-8')[-2000:]}")
    return Peer(process)
