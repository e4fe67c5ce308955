"""Keeps the rollups in a process of its own beside the web, as a worker does each minute."""

from __future__ import annotations

import sys
import time

import django

django.setup()

from apps.reporting.services import rollups_refresh  # noqa: E402 - the applications come first
from tests.benchmarks import turns  # noqa: E402
from tests.contexts import console_context  # noqa: E402


def keep() -> None:
    """The pause since the last run, then one for what has come in meanwhile."""
    time.sleep(float(sys.argv[1]))
    rollups_refresh(console_context())


turns.serve({"keep": keep})
