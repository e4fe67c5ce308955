"""A database that lies somewhere else, or says nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db import connection


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextlib.contextmanager
def elsewhere(**changes: Any) -> Iterator[None]:
    """The database lies somewhere else."""
    connection.close()
    before = dict(connection.settings_dict)
    options = {name: value for name, value in before["OPTIONS"].items() if name != "host"}
    further = changes.pop("OPTIONS", {})
    connection.settings_dict.update(OPTIONS=options | {"connect_timeout": 2} | further, **changes)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
