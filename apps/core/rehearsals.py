"""A change made by its own code and rolled back: what it would do, with whatever it refuses (spec 03, Preview)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def rehearsal() -> Iterator[None]:
    """Within the block the change is made and can be looked at; the end of the block takes it back.

    Calls that follow a commit are not made.
    """
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
