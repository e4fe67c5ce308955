"""Where the embedded stack keeps its files. Imports nothing of Django, so that settings can ask it."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def state_folder() -> Path:
    """The folder of all local state: `COUNTINGHOUSE_STATE_DIR`, else `var/` (tests: `var/test/`)."""
    configured = os.environ.get("COUNTINGHOUSE_STATE_DIR")
    if configured:
        return Path(configured).resolve()
    return PROJECT / "var" / "test" if os.environ.get("DJANGO_ENV") == "test" else PROJECT / "var"


def database_url() -> str:
    """The URL of the embedded PostgreSQL."""
    return f"postgres://countinghouse@/countinghouse?host={state_folder() / 'postgres'}"


def broker_url() -> str:
    """The URL of the embedded Valkey, a Redis-protocol broker on a Unix socket."""
    return f"redis+socket://{state_folder() / 'valkey' / 'valkey.sock'}?virtual_host=0"
