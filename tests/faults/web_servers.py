"""Real web servers before the test's own database, and a client of them that never gives up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import connection

from apps.core.failpoints import Failpoint
from billing_site.launcher.children import WEB_OPTIONS
from billing_site.launcher.places import PROJECT
from tests.faults.stacks import free_port, wait_until

_PATIENCE_SECONDS = 60
_ORDER = "COUNTINGHOUSE_TEST_KILL_ORDER"


class WebServer:
    """granian with one worker, as `make run` starts it, in a process group of its own."""

    def __init__(self, folder: Path, database: str = "", application: str = "tests.faults.killable_rsgi") -> None:
        self._database = database
        self._application = application
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._order = folder / f"order-{self.port}"
        self._log = folder / f"web-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; it serves some seconds later."""
        self._order.unlink(missing_ok=True)
        command = [sys.executable, "-m", "granian", "--host=127.0.0.1", f"--port={self.port}", "--workers=1"]
        command += [option for option in WEB_OPTIONS if "respawn" not in option]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"{self._application}:application"],
                cwd=PROJECT,
                env={**os.environ, "DATABASE_URL": self._database or database_url(), _ORDER: str(self._order)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it wrote."""
        return self._log.read_text(encoding="utf-8")

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return requests.get(f"{self.address}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def wait_until_up(self) -> None:
        """Started again where it ended by itself, as a supervisor does: the server was seen to crash at its start."""
        wait_until(self._is_up_or_started_again, self.said)

    def _is_up_or_started_again(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            self.kill()
            self.start()
        return self.is_up()

    def die_at(self, name: Failpoint) -> None:
        """Order it to kill itself when it passes there."""
        fresh = self._order.with_suffix(".new")
        fresh.write_text(name, encoding="ascii")
        fresh.rename(self._order)

    def kill(self) -> None:
        """Kill -9 all of it, if it still lives, and wait for its end."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_PATIENCE_SECONDS)

    def wait_until_dead(self) -> None:
        """Come back when it has killed itself."""
        assert self._process is not None
        assert self._process.wait(_PATIENCE_SECONDS) == -signal.SIGKILL
        self.kill()

    def waiting(self) -> int:
        """How many of its statements PostgreSQL lets wait for a lock."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        with connection.cursor() as cursor:
            # A transaction sees the activity as it was when it first looked, unless it forgets that.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query, [f"web-{self.pid}"])
            return int(cursor.fetchone()[0])


def database_url() -> str:
    """The URL of the database that this test uses."""
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def asked_until_answered(
    servers: list[WebServer], token: str, path: str, body: dict[str, Any]
) -> tuple[requests.Response, int]:
    """What a careful client gets: the same request to one server after the other until it is answered, and how often.

    A server that is gone, an error of the server and a key in flight are reasons to ask again.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    tries = 0
    while True:
        answer = asked_once(servers[tries % len(servers)], token, path, body)
        tries += 1
        if answer is not None and answer.status_code < requests.codes.server_error and not is_in_flight(answer):
            return answer, tries
        assert time.monotonic() < deadline, answer.text if answer is not None else "no server answers"
        time.sleep(0.02)


def asked_once(server: WebServer, token: str, path: str, body: dict[str, Any]) -> requests.Response | None:
    """One request on a connection of its own; None where no answer came."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{server.address}/api/v1/internal/{path}"
    try:
        return requests.post(url, json=body, headers=headers, timeout=_PATIENCE_SECONDS)
    except requests.RequestException:
        return None


def is_in_flight(answer: requests.Response) -> bool:
    """Whether the answer says to repeat the key in a moment, and when."""
    is_so = answer.status_code == requests.codes.conflict and answer.json()["code"] == "idempotency_key_in_flight"
    assert not is_so or int(answer.headers["Retry-After"]) >= 1
    return bool(is_so)
