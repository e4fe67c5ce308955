"""A worker that is told to stop answers what it has; one that dies is replaced."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from billing_site.launcher.children import WEB_OPTIONS
from tests.faults.stacks import wait_until
from tests.web.servers import ask, connect, head, serving

pytestmark = pytest.mark.faults
ECHO = "tests.web.echo:application"


def test_a_request_under_way_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as clients:
        with serving(ECHO, tmp_path / "log") as port:
            idle = connect(port)
            under_way = [clients.submit(ask, port, head("GET /?sleep=2")) for _ in range(2)]
            wait_until(lambda: not _answers_at_once(port))
        assert [one.result().status for one in under_way] == [200, 200]
        assert idle.recv(1) == b""
        idle.close()
    assert "refused to gracefully stop" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "--respawn-failed-workers" in WEB_OPTIONS
    with serving(ECHO, log, options=(*WEB_OPTIONS, "--respawn-interval=0.1")) as port:
        pid = int(log.read_text(encoding="utf-8").partition("Spawning worker-1 with PID: ")[2].split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: log.read_text(encoding="utf-8").count("Spawning worker-1 with PID: ") == 2)
        wait_until(lambda: _is_up(port))


def _answers_at_once(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=0.3).ok
    except requests.Timeout:
        return False


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok
    except requests.RequestException:
        return False
