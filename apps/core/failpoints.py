"""Named places where the crash tests kill the process (spec 11, P3). Passing one does nothing unless it was armed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

Failpoint = Literal[
    "idempotency.before_commit",
    "idempotency.after_commit",
    "outbox.after_claim",
    "outbox.after_deliver",
    "outbox.before_finish_commit",
    "outbox.after_finish",
    "jobs.after_create",
    "jobs.after_claim",
    "jobs.after_run",
    "jobs.after_finish",
    "inbox.after_claim",
    "inbox.after_process",
    "credits.before_statement",
    "credits.after_statement",
    "credentials.after_swap",
    "sync.after_claim",
    "sync.after_fetch",
    "sync.before_page_commit",
    "sync.after_page",
    "reconciliation.after_claim",
    "reconciliation.after_fetch",
    "reconciliation.before_commit",
    "reconciliation.after_step",
    "reports.after_store",
    "reports.before_commit",
    "reports.after_commit",
    "balances.after_claim",
    "balances.before_commit",
    "balances.after_line",
    "previews.after_claim",
    "previews.after_piece",
]
FAILPOINTS: tuple[Failpoint, ...] = get_args(Failpoint)

_armed: list[Callable[[Failpoint], None]] = []


def failpoint(name: Failpoint) -> None:
    """Pass the place called `name`."""
    for action in _armed:
        action(name)


@contextmanager
def armed(action: Callable[[Failpoint], None]) -> Iterator[None]:
    """While the block runs, `action` is called with the name of every failpoint that is passed."""
    _armed.append(action)
    try:
        yield
    finally:
        _armed.remove(action)
