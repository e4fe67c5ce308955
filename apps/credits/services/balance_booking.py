"""Carries out one import of balances, line by line, each in a transaction with its place in the file (spec 02).

A worker that is killed leaves the lines behind it booked and the others not; the next worker goes on at that place.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError, UnprocessableError
from apps.core.failpoints import failpoint
from apps.core.ids import OrganizationId, ProductId
from apps.core.leases import Queue, error_text
from apps.core.unavailability import end_if_interrupted
from apps.credits import events
from apps.credits.contracts import AccountRef
from apps.credits.enums import BalanceImportStatus
from apps.credits.models import BalanceImport, BalanceImportFile, ImportedBalance
from apps.credits.models.balance_imports import OVER
from apps.credits.rules.balance_file import BalanceLine, read_balance_file
from apps.credits.rules.balance_plan import changed_sentence
from apps.credits.selectors.balances import account_faults, imported_total
from apps.credits.services.grants import GrantParams, account_open, grant_store
from apps.credits.services.reversals import adjustment_store
from apps.tenants.models import Product

logger = logging.getLogger(__name__)

IMPORTS = Queue(
    BalanceImport,
    waiting=BalanceImportStatus.QUEUED,
    working=BalanceImportStatus.RUNNING,
    lease=timedelta(seconds=30),
    beat=timedelta(seconds=8),
    claims="claims",
    starts_at_once=True,
)
WAITS_FOR = timedelta(days=1)


class LeaseLostError(Exception):
    """Another worker has the import."""


def balance_import_execute(
    context: ExecutionContext, import_id: UUID, *, until: datetime | None = None
) -> BalanceImport | None:
    """Go on with the import until it is over, or `until` has come; then it is queued again.

    None where it is over or another worker's. A line that can't be booked any more ends it as failed, with that line's
    number; what is booked stays, and the file imported again goes on there.
    """
    record = IMPORTS.claim_row(import_id)
    if record is None:
        return None
    if record.started_at is None:
        record.started_at = clock.now()
        record.save(update_fields=["started_at"])
    failpoint("balances.after_claim")
    try:
        with IMPORTS.keep(record):
            _book_all(context, record, until)
    except LeaseLostError:
        return None
    except Exception as error:
        # What only interrupts leaves the import to the next worker; whatever else goes wrong belongs on it.
        end_if_interrupted(error)
        logger.warning("balance_import_failed", exc_info=True, extra={"balance_import": str(record.pk)})
        sentence = error.detail if isinstance(error, CountinghouseError) else f"{type(error).__name__}: {error}"
        _end(context, record, BalanceImportStatus.FAILED, error_text(sentence))
    record.refresh_from_db()
    return record


def balance_imports_drop_waiting() -> int:
    """Discard what nobody has started for a day, with its file; how many."""
    stale = BalanceImport.objects.filter(
        status=BalanceImportStatus.CHECKED, created_at__lt=clock.now() - WAITS_FOR
    ).update(status=BalanceImportStatus.DISCARDED, finished_at=clock.now(), error="Nobody started it for a day.")
    BalanceImportFile.objects.filter(record__status__in=[status.value for status in OVER]).delete()
    return stale


def _book_all(context: ExecutionContext, record: BalanceImport, until: datetime | None) -> None:
    # The same bytes as when they were judged, and by the clock of then: an end may have passed meanwhile.
    content = bytes(BalanceImportFile.objects.get(record=record).content)
    lines = read_balance_file(content, now=record.created_at).lines
    product = Product.objects.get(pk=record.product_id)
    while record.done < len(lines):
        if until is not None and clock.real_now() >= until:
            IMPORTS.release(record, BalanceImportStatus.QUEUED, lease_expires_at=clock.real_now())
            return
        _book(context, record, product, lines[record.done])
        failpoint("balances.after_line")
    _end(context, record, BalanceImportStatus.SUCCEEDED, "")


def _book(context: ExecutionContext, record: BalanceImport, product: Product, line: BalanceLine) -> None:
    with transaction.atomic():
        if IMPORTS.lock(record) is None:
            raise LeaseLostError
        outcome = _book_line(context, record, product, line)
        record.done += 1
        record.counts = {str(name): count for name, count in (Counter(record.counts) + Counter([outcome])).items()}
        record.save(update_fields=["done", "counts"])
        failpoint("balances.before_commit")


def _book_line(context: ExecutionContext, record: BalanceImport, product: Product, line: BalanceLine) -> str:
    """Book what the line differs from what was imported before; what came of it."""
    stored = (
        ImportedBalance.objects.select_for_update(no_key=True)
        .filter(product=product, external_ref=line.external_ref)
        .first()
    )
    difference = line.balance - (stored.balance if stored else 0)
    if stored is not None and not difference:
        return "unchanged"
    if stored is not None and not record.is_update:
        raise _refused(line, changed_sentence(line, stored.balance))
    for fault in account_faults(ProductId(product.pk), [line]):
        raise _refused(line, fault.sentence)
    now = clock.now()
    if stored is None:
        stored = ImportedBalance(
            product=product,
            external_ref=line.external_ref,
            account_type=line.account_type,
            account_id=line.account_id,
            revision=0,
            imported_at=now,
        )
    stored.balance, stored.revision, stored.changed_at = line.balance, stored.revision + 1, now
    stored.save(force_insert=stored.revision == 1, force_update=stored.revision > 1)
    return _move(context, product, line, difference, key=f"balance:{stored.pk}:{stored.revision}")


def _move(context: ExecutionContext, product: Product, line: BalanceLine, difference: int, *, key: str) -> str:
    if not difference:
        return "unchanged"
    account_id = account_open(context, AccountRef(line.account_type, line.account_id))
    context = context.within(OrganizationId(account_id), is_demo=False)
    note = line.note or f"Balance of {product.name}, {line.external_ref}"
    if difference < 0:
        adjustment_store(context, account_id=account_id, key=key, amount=-difference, reason=note, force=True)
        return "adjusted"
    params = GrantParams(line.grant_type, difference, line.priority, expires_at=line.expires_at, note=note)
    grant_store(context, account=AccountRef(line.account_type, line.account_id), params=params, key=key)
    return "granted"


def _refused(line: BalanceLine, sentence: str) -> UnprocessableError:
    return UnprocessableError(f"Stopped at line {line.number}: {sentence}")


def _end(context: ExecutionContext, record: BalanceImport, status: BalanceImportStatus, error: str) -> None:
    with transaction.atomic():
        if IMPORTS.lock(record) is None:
            raise LeaseLostError
        after = imported_total(ProductId(record.product_id)).total
        IMPORTS.release(record, status, error=error, finished_at=clock.now(), totals={**record.totals, "after": after})
        BalanceImportFile.objects.filter(record=record).delete()
        audit_append(
            context,
            events.BALANCE_IMPORT_FINISHED,
            record.product.audit_target,
            after={"import": str(record.pk), "status": status.value, "done": record.done, "counts": record.counts},
        )
