"""Garbage is looked for where a process works, not while it loads."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from apps.core.garbage import settle
from billing_site.launcher.places import PROJECT

_LOAD = """
import gc
import billing_site
looks = []
gc.callbacks.append(lambda phase, info: looks.append(phase))
billing_site.celery_app.loader.import_default_modules()
print(len(looks), gc.get_threshold()[0], gc.get_freeze_count() > 100_000)
"""


def test_nothing_is_looked_through_while_a_worker_loads_and_afterwards_only_what_is_new() -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "50000", "True"]


def test_what_loading_left_behind_is_freed() -> None:
    class Left:
        itself: Left

    left = Left()
    left.itself = left
    gone = weakref.ref(left)
    gc.freeze()
    del left
    gc.collect()
    assert gone() is not None  # the control: what is frozen is not looked at
    settle()
    assert gone() is None
