"""Fixtures that every test has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db import connections

from apps.core.enums import Role
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.oidc.provider import memory
from apps.tenants.tokens import forget_all


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """Processes remember tokens and failures for a while; tests do not lend each other either."""
    forget_all()
    memory.clear()


@pytest.fixture(autouse=True, scope="session")
def _emptying_the_tables_is_allowed() -> Iterator[None]:
    """Tests that commit end by truncating every table, which append-only tables refuse in earnest."""
    handle = flush.Command.handle

    def empty(self: flush.Command, **options: Any) -> None:
        with connections[str(options.get("database", "default"))].cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            try:
                handle(self, **options)
                for role in PLATFORM_LADDER:
                    cursor.execute("INSERT INTO auth_group (name) VALUES (%s)", [Role(role).value])
            finally:
                cursor.execute("SET session_replication_role = DEFAULT")

    flush.Command.handle = empty  # type: ignore[method-assign]
    yield
    flush.Command.handle = handle  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how large the access table is: a promise whose size matters (spec 11, P4)."""
    from tests.access.cells import cell_counts  # noqa: PLC0415 - needs the loaded apps

    figures = ", ".join(f"{count:,} {plane}" for plane, count in cell_counts().items())
    terminalreporter.write_line(f"access table: {figures} cells")
