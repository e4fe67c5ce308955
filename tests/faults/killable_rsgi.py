"""The product's entry point, with more threads, in a server that a test can order to die at a failpoint.

The order is a file with the failpoint's name. Whoever passes there takes the order and kills its whole server, without
warning. PostgreSQL knows the server by its process group, so that a test sees which one waits for a lock.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

os.environ["PGAPPNAME"] = f"web-{os.getpgrp()}"

from apps.core.failpoints import Failpoint, armed
from billing_site.wsgi import application as wsgi_application

# isort: split
from billing_site.web.front import Front

application = Front(wsgi_application, threads=8)

ORDER = "COUNTINGHOUSE_TEST_KILL_ORDER"


def _die_if_ordered(name: Failpoint) -> None:
    order = Path(os.environ[ORDER])
    if order.exists() and order.read_text(encoding="ascii") == name:
        order.unlink(missing_ok=True)
        os.killpg(os.getpgrp(), signal.SIGKILL)


_for_life = ExitStack()
_for_life.enter_context(armed(_die_if_ordered))
