"""The nightly look at the books: does the ledger agree with itself, and the audit log with its hashes (spec 05, 03)."""

from __future__ import annotations

import itertools

import structlog

from apps.core import clock
from apps.core.audit.verification import verify_audit
from apps.core.audit.witness import EVENT, ChainHead, witness_lines
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.credits.models import CreditAccount
from apps.credits.selectors.ledger import ledger_faults

log = structlog.get_logger(__name__)

_NAMED = 20


class BooksAtFaultError(Exception):
    """The ledger or the audit log contradicts itself; the log names each fault."""


def books_verify(context: ExecutionContext, *, organization_id: OrganizationId | None = None) -> dict[str, int]:
    """Verify ledger and audit log; returns counts for people.

    Raises `ForbiddenError`, and `BooksAtFaultError` once everything has been looked at.

    Writes the witness of the sound chains to the log, where the owner of the database has no say.
    """
    require(context, "jobs.verify_books")
    faults = [] if organization_id else _ledger_faults()
    heads, entries, broken = _audit(organization_id)
    for line in [] if organization_id else witness_lines(heads, clock.now()):
        log.info(EVENT, **line)
    found = [*faults, *broken]
    if found:
        raise BooksAtFaultError(
            f"{len(faults)} faults of the ledger, {len(broken)} broken chains of the audit log. Nobody repairs them by "
            f"itself: see the log, and verify_ledger and verify_audit. The first: {found[0]}"
        )
    return {"accounts": CreditAccount.objects.count(), "chains": len(heads), "audit_entries": entries}


def _ledger_faults() -> list[str]:
    """The first faults; a ledger that is wrong throughout fills no memory."""
    faults = list(itertools.islice(ledger_faults(), _NAMED))
    for fault in faults:
        log.error("ledger_fault", fault=fault)
    return faults


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
