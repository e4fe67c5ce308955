"""The nightly look at the books: does the ledger agree with itself, and the audit log with its hashes (spec 05, 03)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import structlog

from apps.core import clock
from apps.core.audit.verification import verify_audit
from apps.core.audit.witness import EVENT, ChainHead, witness_lines
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.core.registry import Registry
from apps.credits.models import CreditAccount
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.selectors.seals import seal_faults
from apps.credits.services.seals import entries_seal
from apps.credits.services.seals import heads as ledger_heads

log = structlog.get_logger(__name__)

_NAMED = 20

# Apps above keep what was found, so that a page can tell it.
_keepers: Registry[Callable[[Sequence[str], datetime], None]] = Registry("keeper of the books' faults")

# What apps above derive from the ledger is looked at with it; each yields what is wrong, in words.
_checks: Registry[Callable[[], Iterator[str]]] = Registry("check of the books")


def register_check(name: str, check: Callable[[], Iterator[str]]) -> None:
    """Let `books_verify` run this check too."""
    _checks.register(name, check)


def register_keeper(name: str, keep: Callable[[Sequence[str], datetime], None]) -> None:
    """Hand the faults that each look finds, and its time, to this function."""
    _keepers.register(name, keep)


class BooksAtFaultError(Exception):
    """The ledger or the audit log contradicts itself; the log names each fault."""


def books_verify(context: ExecutionContext, *, organization_id: OrganizationId | None = None) -> dict[str, int]:
    """Verify ledger, what was derived from it, and audit log; returns counts for people.

    Raises `ForbiddenError`, and `BooksAtFaultError` once everything has been looked at.

    Seals the new entries of all accounts, and writes the witness of the sound chains and the heads of the seals to the
    log, where the owner of the database has no say.
    """
    require(context, "jobs.verify_books")
    faults = [] if organization_id else _ledger_faults()
    heads, entries, broken = _audit(organization_id)
    for line in [] if organization_id else witness_lines(heads, clock.now()):
        log.info(EVENT, **line)
    sealed = 0 if organization_id else _seal()
    found = [*faults, *broken]
    if found:
        raise BooksAtFaultError(
            f"{len(faults)} faults of the ledger, {len(broken)} broken chains of the audit log. Nobody repairs them by "
            f"itself: see the log, verify_ledger, verify_audit and rebuild_rollups --check. The first: {found[0]}"
        )
    counts = {"accounts": CreditAccount.objects.count(), "chains": len(heads), "audit_entries": entries}
    return {**counts, "seals": sealed}


def _ledger_faults() -> list[str]:
    """The first faults; a ledger that is wrong throughout fills no memory."""
    derived = (check() for check in _checks.values())
    found = itertools.chain(ledger_faults(), seal_faults(night=clock.now()), *derived)
    began_at = clock.now()
    faults = list(itertools.islice(found, _NAMED))
    for keep in _keepers.values():
        keep(faults, began_at)
    for fault in faults:
        log.error("ledger_fault", fault=fault)
    return faults


def _seal() -> int:
    """Seal the new entries, also where something is wrong: what came since would else never be; log the heads."""
    sealed, ends = entries_seal(clock.now()), ledger_heads()
    log.info("ledger_heads", accounts=ends.accounts, digest=ends.digest)
    return sealed


def _audit(organization_id: OrganizationId | None) -> tuple[list[ChainHead], int, list[str]]:
    heads: list[ChainHead] = []
    broken: list[str] = []
    entries = 0
    for report in verify_audit(organization_id):
        entries += report.entries
        if not report.is_sound:
            broken.append(str(report))
            log.error("audit_chain_broken", report=str(report))
        elif report.head is not None:
            heads.append(report.head)
    return heads, entries, broken
