"""Running one call in many threads at the same moment, each with its own database connection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

Result = TypeVar("Result")


def at_once(count: int, call: Callable[[int], Result]) -> list[Result | Exception]:
    """What `call(0)` to `call(count - 1)` returned or raised, having started together."""
    barrier = Barrier(count)

    def one(number: int) -> Result | Exception:
        try:
            barrier.wait()
            return call(number)
        except Exception as error:  # noqa: BLE001 - what was raised is the result
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
