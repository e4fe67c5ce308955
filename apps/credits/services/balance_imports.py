"""Imports of balances: judged, asked for, started or discarded. `balance_booking` carries them out (spec 02)."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.operations import require
from apps.core.wakeups import wake_after_commit
from apps.credits import events
from apps.credits.enums import BalanceImportStatus
from apps.credits.models import BalanceImport, BalanceImportFile
from apps.credits.models.balance_imports import ACTIVE
from apps.credits.rules.balance_file import MOST_FAULTS, BalanceFile, LineFault, read_balance_file
from apps.credits.rules.balance_plan import BalancePlan, plan_of
from apps.credits.selectors.balances import account_faults, imported_total, known_balances
from apps.tenants.models import Product
from apps.tenants.selectors.products import product_for_update

OPERATION = "balances.import"
TASK = "credits.import_balances"
# After this a queued import is handed out again: its message was lost.
QUEUE_LEASE = timedelta(minutes=5)
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A file with what it would do here. With any fault it does nothing. Totals are micro-credits."""

    file: BalanceFile
    plan: BalancePlan = field(default_factory=BalancePlan)
    faults: list[LineFault] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)


def balances_judge(context: ExecutionContext, *, product_id: ProductId, data: bytes, is_update: bool) -> JudgedFile:
    """What an import of the file would do; changes nothing. Raises `ForbiddenError`."""
    require(context, OPERATION)
    file = read_balance_file(data, now=clock.now())
    if file.faults:
        return JudgedFile(file, faults=file.faults)
    known = known_balances(product_id, [line.external_ref for line in file.lines])
    plan = plan_of(file.lines, known, is_update=is_update)
    faults = sorted([*account_faults(product_id, file.lines), *plan.faults], key=lambda fault: fault.number)
    before = imported_total(product_id)
    totals = {
        "file": plan.file,
        "booked": plan.booked,
        "before": before.total,
        "after": before.total + plan.booked,
        "not_in_file": before.total - plan.known,
        "not_in_file_lines": before.count - len(known),
    }
    return JudgedFile(file, plan, faults, totals)


@transaction.atomic
def balance_import_create(
    context: ExecutionContext,
    *,
    product_id: ProductId,
    data: bytes,
    file_name: str,
    is_update: bool,
    reason: str,
    starts: bool = False,
) -> BalanceImport:
    """Keep a file that was judged to be without a fault, to be started by a person, or with `starts` at once.

    A file that is being imported already is gone on with. Raises `ForbiddenError`, `NotFoundError`,
    `UnprocessableError` `balance_file_refused`, and `ConflictError` `balance_import_running` beside another file's.
    """
    require(context, OPERATION)
    product = _locked(product_id)
    digest = hashlib.sha256(data).hexdigest()
    active = _active(product)
    if starts and active is not None and (active.digest, active.is_update) == (digest, is_update):
        return active
    judged = _judged(context, product, data, is_update)
    values = {"digest": digest, "is_update": is_update, "lines": len(judged.file.lines), "totals": judged.totals}
    made: BalanceImport = BalanceImport.objects.create(
        id=uuid.uuid4(),
        product=product,
        status=BalanceImportStatus.CHECKED,
        file_name=file_name[:_LONGEST_NAME],
        reason=reason,
        requested_by=context.actor.label,
        created_at=clock.now(),
        **values,
    )
    BalanceImportFile.objects.create(record=made, content=data)
    after = {"import": str(made.pk), "file": made.file_name, "digest": digest, "lines": made.lines}
    audit_append(context, events.BALANCE_IMPORT_CHECKED, product.audit_target, after=after, reason=reason)
    return _start(context, made, product, reason) if starts else made


@transaction.atomic
def balance_import_start(context: ExecutionContext, *, import_id: UUID, reason: str) -> BalanceImport:
    """Start an import that waits for it. The file is judged anew: something may have changed since.

    Raises as `balance_import_create`, and `ConflictError` where it does not wait.
    """
    require(context, OPERATION)
    waiting, product = _waiting(import_id)
    judged = _judged(context, product, bytes(waiting.file.content), waiting.is_update)
    waiting.totals = judged.totals
    return _start(context, waiting, product, reason)


@transaction.atomic
def balance_import_discard(context: ExecutionContext, *, import_id: UUID, reason: str) -> BalanceImport:
    """Drop an import that waits for its start. Raises `ForbiddenError`, `NotFoundError`, `ConflictError`."""
    require(context, OPERATION)
    waiting, product = _waiting(import_id)
    waiting.status, waiting.finished_at = BalanceImportStatus.DISCARDED, clock.now()
    waiting.save(update_fields=["status", "finished_at"])
    BalanceImportFile.objects.filter(record=waiting).delete()
    audit_append(
        context,
        events.BALANCE_IMPORT_DISCARDED,
        product.audit_target,
        after={"import": str(waiting.pk), "file": waiting.file_name},
        reason=reason,
    )
    return waiting


def _start(context: ExecutionContext, record: BalanceImport, product: Product, reason: str) -> BalanceImport:
    active = _active(product)
    if active is not None:
        raise ConflictError(
            f"Another import of balances of {product.name} is not finished: {active.file_name}. Wait until it is.",
            code="balance_import_running",
            title="Another import is running",
        )
    record.status, record.lease_expires_at = BalanceImportStatus.QUEUED, clock.real_now() + QUEUE_LEASE
    record.save(update_fields=["status", "lease_expires_at", "totals"])
    audit_append(
        context,
        events.BALANCE_IMPORT_STARTED,
        product.audit_target,
        after={"import": str(record.pk), "file": record.file_name, "booked": record.totals["booked"]},
        reason=reason,
    )
    wake_after_commit(TASK, str(record.pk))
    return record


def _judged(context: ExecutionContext, product: Product, data: bytes, is_update: bool) -> JudgedFile:
    judged = balances_judge(context, product_id=ProductId(product.pk), data=data, is_update=is_update)
    if judged.faults:
        told = [str(fault) for fault in judged.faults[:MOST_FAULTS]]
        raise UnprocessableError(
            f"Nothing was imported. The file has faults: {' '.join(told)}",
            code="balance_file_refused",
            title="The file of balances has faults",
        )
    return judged


def _active(product: Product) -> BalanceImport | None:
    return BalanceImport.objects.filter(product=product, status__in=ACTIVE).first()


def _waiting(import_id: UUID) -> tuple[BalanceImport, Product]:
    product_id = BalanceImport.objects.filter(pk=import_id).values_list("product", flat=True).first()
    if product_id is None:
        raise NotFoundError(f"There is no import of balances {import_id}.")
    product = _locked(ProductId(product_id))
    record = BalanceImport.objects.select_for_update(no_key=True).get(pk=import_id)
    if record.status != BalanceImportStatus.CHECKED:
        raise ConflictError(f"This import does not wait for its start: it is {record.get_status_display().lower()}.")
    return record, product


def _locked(product_id: ProductId) -> Product:
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    return product
