"""Garbage is looked for where a process works, not while it loads."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest
from celery.signals import worker_init

from apps.core.garbage import settle
from apps.core.postgresql import probe
from billing_site.launcher.places import PROJECT
from billing_site.web.front import Front

_LOAD = """
import gc
import billing_site
looks = []
gc.callbacks.append(lambda phase, info: looks.append(phase))
billing_site.celery_app.loader.import_default_modules()
print(len(looks), gc.get_threshold()[0], gc.get_freeze_count() > 100_000)
"""


@pytest.mark.slow
def test_nothing_is_looked_through_while_a_worker_loads_and_afterwards_only_what_is_new() -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "50000", "True"]


@pytest.mark.slow
@pytest.mark.parametrize("starts", ["alone", "web", "worker"])
def test_what_loading_left_behind_is_freed(starts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "refuse_forgetful_pooler", lambda: None)

    class Left:
        itself: Left

    left = Left()
    left.itself = left
    gone = weakref.ref(left)
    gc.freeze()
    del left
    gc.collect()
    assert gone() is not None  # the control: what is frozen is not looked at
    {"alone": settle, "web": start_and_stop_web, "worker": init_worker}[starts]()
    assert gone() is None


def start_and_stop_web() -> None:
    """As granian does it in each of its processes."""
    loop = asyncio.new_event_loop()
    front = Front(lambda environ, started: [], threads=1)
    front.__rsgi_init__(loop)
    front.__rsgi_del__(loop)
    loop.close()


def init_worker() -> None:
    """As Celery does it before it forks its pool."""
    worker_init.send(None)
