"""What one client may take of the web server: time, bytes, places. `docs/deployment.md` repeats these values."""

from __future__ import annotations

# --- Connections: granian holds them, no Python thread does -----------------------------------------------------------
HEADER_SECONDS = 30
"""For the header of a request; also how long an idle connection is kept open for the next one."""
HEADER_BYTES = 64 * 1024
"""For request line and headers together."""
CONNECTIONS = 4096
"""Open at a time, for each worker."""
BACKLOG = 2048
"""Connections that wait for a worker to accept them."""
OPEN_FILES = 16 * 1024
"""For each worker, where the system allows it: each connection is one."""

# --- Bodies: the event loop holds them --------------------------------------------------------------------------------
BODY_SECONDS = 20
"""For a body to arrive in full."""
LARGEST_BODY = 2 * 1024 * 1024
"""The most that any endpoint takes; most take less."""
BODY_IN_MEMORY = 128 * 1024
"""A larger body waits in a temporary file."""

# --- Requests that are complete ---------------------------------------------------------------------------------------
WAITING_REQUESTS = 1000
"""For a free thread of one worker; the next one is told to come back."""
WAITING_SECONDS = 10
"""For a free thread; then the request is told to come back, and nothing of it is done."""
RETRY_AFTER_SECONDS = 2

# --- Answers ----------------------------------------------------------------------------------------------------------
ANSWER_IN_MEMORY = 1024 * 1024
"""A larger answer waits in a temporary file until its reader has taken it."""
ANSWER_STALL_SECONDS = 30
"""A connection whose reader takes nothing for so long is closed (Linux)."""
