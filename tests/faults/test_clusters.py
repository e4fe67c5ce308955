"""A further server does not outlive the test that started it, even where the test is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from billing_site.launcher.places import PROJECT
from tests.faults.stacks import wait_until

pytestmark = pytest.mark.faults

_TEST = """
import time
import django
django.setup()
from tests.faults.clusters import Server
server = Server("left")
server.run("initdb", "-D", server.data, "-U", "postgres")
server.start()
print(server._process.pid, server.data.parent, flush=True)
time.sleep(60)
"""


def test_a_server_ends_with_the_test_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", _TEST], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        pid, folder = test.stdout.readline().split()
        assert Path("/proc", pid).exists()
        test.kill()
        test.wait()
        wait_until(lambda: not Path("/proc", pid).exists())
    subprocess.run(["/bin/rm", "-rf", folder], check=True)
