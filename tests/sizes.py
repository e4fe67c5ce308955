"""How large the tests of the promises are (spec 11): small in `make test`, full in `make prove`."""

from __future__ import annotations

import os
from typing import TypeVar

Size = TypeVar("Size")

IS_FULL = os.environ.get("COUNTINGHOUSE_PROVE") == "1"


def size(*, small: Size, full: Size) -> Size:
    """The number of repetitions for this run, or the cases."""
    return full if IS_FULL else small
