"""Reports usage to Orb: the switch of a product, the hourly firing, and what a person decides (spec 04, Usage to Orb).

A batch is a row of the outbox that names places in the ledger; the position moves in the same transaction. So every
entry is in one batch, and its id, Orb's idempotency key, is stored long before the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.credits.models import CreditAccount, CreditEntry
from apps.payments import events
from apps.payments.enums import UsageFaultKind
from apps.payments.models import UsageFault, UsagePeriod, UsagePosition, UsageReporting
from apps.payments.rules.usage import Part, ProductRule, Usage, as_payload, is_reported, pack, was_told
from apps.payments.selectors.usage import (
    entries_in,
    new_accounts,
    parts_behind,
    positions_for_update,
    reported_periods,
    reporting_rules,
    usages,
)
from apps.tenants.selectors.products import product_for_update

REPORT_KIND, AMEND_KIND, CHECK_KIND = "orb.report_usage", "orb.amend_usage", "orb.check_usage"
# One firing takes about so many entries; the next goes on.
_MOST_A_FIRING = 100_000


@dataclass(slots=True)
class _Told:
    """What a firing did."""

    entries: int = 0
    events: int = 0
    reversals: int = 0
    batches: int = 0


@transaction.atomic
def usage_reporting_change(
    context: ExecutionContext, *, product_id: ProductId, is_on: bool, includes_unpriced: bool, reason: str
) -> UsageReporting:
    """Switch the reporting of a product's usage on or off; what was recorded before is never sent by itself.

    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError` without a reason.
    """
    require(context, "usage_reporting.change")
    if not reason.strip():
        raise UnprocessableError("Say why this product's usage is to be reported, or not any more.")
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    row, _ = UsageReporting.objects.get_or_create(product=product)
    was_from, was_unpriced = row.reports_from, row.includes_unpriced
    before = {"reports_from": was_from, "includes_unpriced": was_unpriced}
    if is_on and row.reports_from is None:
        if not reporting_rules():
            # Positions stood still meanwhile. They move before the moment is taken, so that no entry is left out.
            _pass_over_all()
        row.reports_from = clock.now()
    elif not is_on:
        row.reports_from = None
    row.includes_unpriced = is_on and includes_unpriced
    after = {"reports_from": row.reports_from, "includes_unpriced": row.includes_unpriced}
    if after != before:
        row.save(update_fields=["reports_from", "includes_unpriced"])
        if not is_on and was_from is not None:
            # What is given back later is told only of what Orb has.
            UsagePeriod.objects.create(
                product=product,
                recorded_from=was_from,
                recorded_until=clock.now(),
                includes_unpriced=was_unpriced,
            )
        audit_append(
            context, events.USAGE_REPORTING_CHANGED, product.audit_target, before=before, after=after, reason=reason
        )
    return row


def usage_report(
    context: ExecutionContext, *, organization_id: OrganizationId | None = None, most_entries: int = _MOST_A_FIRING
) -> dict[str, int]:
    """Put into the outbox what Orb has not been told of; the counts for people.

    Organizations that can't be taken stop no other. Nothing is read while no product reports.
    """
    require(context, "jobs.report_usage")
    told = _Told()
    rules = reporting_rules()
    if rules:
        # Organizations that are new since then.
        new = [UsagePosition(pk=pk) for pk in new_accounts()]
        UsagePosition.objects.bulk_create(new, ignore_conflicts=True, batch_size=1_000)
        errors = RecordErrors("batches")
        for batch in pack(parts_behind(organization_id)):
            if told.entries >= most_entries:
                break
            with errors.record(batch[0].key):
                _take(context, batch, rules, told)
        errors.finish()
    return {name: getattr(told, name) for name in ("entries", "events", "reversals", "batches")}


def _pass_over_all() -> None:
    rows = CreditAccount.objects.values_list("pk", "last_sequence")
    UsagePosition.objects.bulk_create(
        [UsagePosition(pk=pk, last_sequence=last) for pk, last in rows],
        update_conflicts=True,
        unique_fields=["organization"],
        update_fields=["last_sequence"],
        batch_size=1_000,
    )


@transaction.atomic
def _take(context: ExecutionContext, batch: Sequence[Part], rules: Mapping[UUID, ProductRule], told: _Told) -> None:
    """Write the batch and what it gives back, and move the positions."""
    positions = positions_for_update({part.organization_id for part in batch})
    # Another firing may have taken a part meanwhile.
    parts = [part for part in batch if positions[part.organization_id].last_sequence == part.first - 1]
    charges, reversals = entries_in(parts)
    reported = [usage for usage in charges if is_reported(usage, rules)]
    if reported:
        outbox_enqueue(context, kind=REPORT_KIND, key=f"usage-{parts[0].key}", payload=as_payload(parts, rules))
        told.batches += 1
    told.reversals += _amend(context, reversals, rules)
    for part in parts:
        positions[part.organization_id].last_sequence = part.last
        told.entries += part.size
    told.events += len(reported)
    UsagePosition.objects.bulk_update(positions.values(), ["last_sequence"])


def _amend(context: ExecutionContext, reversals: Sequence[CreditEntry], rules: Mapping[UUID, ProductRule]) -> int:
    charges = usages({entry.reversal_of_id for entry in reversals if entry.reversal_of_id})
    periods = reported_periods(usage.product_id for usage in charges.values() if usage.product_id in rules)
    amended = 0
    for entry in reversals:
        usage = charges.get(entry.reversal_of_id) if entry.reversal_of_id else None
        if usage is not None and was_told(usage, periods.get(usage.product_id, ())):
            amend_enqueue(context, usage, why=str(entry.pk))
            amended += 1
    return amended


def amend_enqueue(context: ExecutionContext, usage: Usage, *, why: str) -> None:
    """Enqueue that Orb's event is brought to what is left of the charge when the call is made."""
    outbox_enqueue(
        context,
        kind=AMEND_KIND,
        key=f"usage-{usage.entry_id}-{why}",
        payload={"entry": str(usage.entry_id)},
        organization_id=OrganizationId(usage.organization_id),
    )


@transaction.atomic
def usage_fault_settle(context: ExecutionContext, *, entry_id: UUID, reason: str) -> UsageFault:
    """A person has seen to it, such as by a credit note at Orb.

    Raises `ForbiddenError`, `UnprocessableError` without a reason, `NotFoundError`, `ConflictError` once settled.
    """
    fault = _open_fault(context, entry_id, reason)
    fault.settled_at = clock.now()
    fault.save(update_fields=["settled_at"])
    audit_append(
        context, events.USAGE_FAULT_SETTLED, fault.audit_target, after={"sentence": fault.sentence}, reason=reason
    )
    return fault


@transaction.atomic
def usage_send_again(context: ExecutionContext, *, entry_id: UUID, reason: str) -> UsageFault:
    """Send one event again with its key, once its cause is mended at Orb.

    Raises as `usage_fault_settle` does.
    """
    fault = _open_fault(context, entry_id, reason)
    entry = CreditEntry.objects.get(pk=entry_id)
    rule = reporting_rules().get(fault.product_id)
    if rule is None:
        raise ConflictError("Usage of this product is not reported to Orb now. Switch it on first.")
    part = Part(entry.account_id, entry.sequence, entry.sequence)
    # It is open again if Orb refuses again.
    fault.kind, fault.settled_at = UsageFaultKind.SENT_AGAIN, clock.now()
    fault.save(update_fields=["kind", "settled_at"])
    # What was recorded before the switch was pressed again is wanted all the same.
    rules = {fault.product_id: ProductRule(rule.slug, entry.recorded_at, rule.includes_unpriced)}
    again = f"{entry_id}-{clock.now():%Y%m%d%H%M%S%f}"
    outbox_enqueue(context, kind=REPORT_KIND, key=f"usage-{again}", payload=as_payload([part], rules))
    if CreditEntry.objects.filter(reversal_of=entry).exists():
        amend_enqueue(context, usages([entry_id])[entry_id], why=f"again-{again}")
    audit_append(
        context, events.USAGE_SENT_AGAIN, fault.audit_target, after={"sentence": fault.sentence}, reason=reason
    )
    return fault


def _open_fault(context: ExecutionContext, entry_id: UUID, reason: str) -> UsageFault:
    require(context, "usage_faults.settle")
    if not reason.strip():
        raise UnprocessableError("Say what was done about it.")
    fault = UsageFault.objects.select_for_update().filter(pk=entry_id).first()
    if fault is None:
        raise NotFoundError("There is no such line in the difference report.")
    if fault.settled_at is not None:
        raise ConflictError("Somebody has settled this already. Reload the page.")
    return fault
