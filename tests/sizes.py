"""How large the tests of the promises are (spec 11): small in `make test`, full in `make prove`."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("COUNTINGHOUSE_PROVE") == "1"


def size(*, small: int, full: int) -> int:
    """The number of repetitions for this run."""
    return full if IS_FULL else small
