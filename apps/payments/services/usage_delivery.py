"""The calls that tell Orb of usage, and what becomes of their answers (spec 04, Usage to Orb).

Whatever Orb refuses is a line of the difference report, for a person; the rest of its batch goes. A call that is
repeated sends the same events under the same keys, which Orb takes once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.models import OutboxItem
from apps.core.outbox import Delivery, OutboxError, outbox_enqueue
from apps.core.outbox.backoff import MAX_ATTEMPTS
from apps.payments.enums import UsageFaultKind
from apps.payments.models import UsageFault
from apps.payments.providers.contract import ProviderCallError
from apps.payments.providers.orb.api import OrbApi, RefusedBatchError
from apps.payments.rules.usage import (
    Part,
    ProductRule,
    Usage,
    as_payload,
    event_of,
    halve,
    ingested_event,
    is_reported,
    of_payload,
)
from apps.payments.selectors.usage import Given, absent_entries, entries_in, given_back, usages
from apps.payments.services.usage import CHECK_KIND, REPORT_KIND, amend_enqueue
from apps.tenants.models import Product

# Orb shows what it took within minutes; a day leaves time for what is sent again.
_CHECKED_AFTER = timedelta(days=1)
# It shows a backfill's events when that is closed, a day after it was opened.
_BACKFILL_CHECKED_AFTER = timedelta(days=2)
_MOST_ROUNDS = 3


@dataclass(slots=True)
class Outcome:
    """What the calls came to. `halves`: Orb refused the batch whole, and each half is tried by itself."""

    faults: list[tuple[Usage, UsageFaultKind, str]] = field(default_factory=list)
    halves: tuple[list[Part], list[Part]] | None = None
    # The charge that was amended, and what had been given back of it when Orb was told.
    amended: tuple[Usage, Given | None] | None = None


def send_usage(api: OrbApi, delivery: Delivery) -> Outcome:
    """Send the batch. Events that Orb refuses are kept aside, and the others sent again without them."""
    parts, rules = of_payload(delivery.payload)
    backfill = str(delivery.payload.get("backfill", ""))
    reported = _reported(parts, rules)
    # What is sent long after it occurred leaves out what was given back meanwhile: those reversals were passed over.
    given = given_back(reported) if backfill else {}
    gone = {entry_id for entry_id, back in given.items() if back.is_whole}
    waiting = {str(usage.entry_id): usage for usage in reported if usage.entry_id not in gone}
    outcome = Outcome()
    for _ in range(_MOST_ROUNDS):
        if not waiting:
            return _without_given_back(outcome)
        try:
            refused = api.ingest([_event(usage, rules, given) for usage in waiting.values()], backfill=backfill)
        except RefusedBatchError as error:
            first, second = halve(parts)
            if second:
                return Outcome(halves=(first, second))
            return Outcome([(usage, UsageFaultKind.REFUSED, error.sentence) for usage in waiting.values()])
        named = {key: said for key, said in refused.items() if key in waiting}
        outcome.faults += [(waiting.pop(key), UsageFaultKind.REFUSED, said) for key, said in named.items()]
        if not named:
            return _without_given_back(outcome)
    raise OutboxError("Orb refuses other events of this batch each time that it is asked.")


def _event(usage: Usage, rules: dict[UUID, ProductRule], given: dict[UUID, Given]) -> dict[str, Any]:
    back = given.get(usage.entry_id)
    return ingested_event(usage, rules[usage.product_id], given_back=back.amount if back else 0)


def _without_given_back(outcome: Outcome) -> Outcome:
    """Orb refuses what it was told to forget: a batch that is repeated late names such events, and nothing is amiss."""
    gone = given_back([usage for usage, _, _ in outcome.faults]) if outcome.faults else {}
    outcome.faults = [
        fault for fault in outcome.faults if not (fault[0].entry_id in gone and gone[fault[0].entry_id].is_whole)
    ]
    return outcome


def amend_usage(api: OrbApi, delivery: Delivery) -> Outcome:
    """Bring Orb's event to what is left of the charge now, whichever reversal asked for it."""
    entry_id = UUID(delivery.payload["entry"])
    if absent_entries([entry_id]):
        return Outcome()  # Orb never had it; the line in the report is for a person
    usage = usages([entry_id])[entry_id]
    given = given_back([usage]).get(entry_id)
    try:
        is_known = _told_what_is_left(api, usage, given)
    except ProviderCallError as error:
        if not error.is_permanent:
            raise
        # Such as an event of a period that was invoiced already.
        return Outcome([(usage, UsageFaultKind.NOT_AMENDED, error.sentence)])
    if is_known:
        return Outcome(amended=(usage, given))
    if delivery.attempt < MAX_ATTEMPTS:
        # Its batch may wait behind a limit, and Orb shows what it took a little later.
        raise OutboxError("Orb does not know this event yet.")
    return Outcome([(usage, UsageFaultKind.MISSING, "Orb does not know the event that a reversal amends.")])


def _told_what_is_left(api: OrbApi, usage: Usage, given: Given | None) -> bool:
    if given is not None and given.is_whole:
        return api.deprecate(str(usage.entry_id))
    event = event_of(usage, _named(usage), given_back=given.amount if given else 0)
    return api.amend(str(usage.entry_id), event)


def check_usage(api: OrbApi, delivery: Delivery) -> Outcome:
    """Compare a batch with what Orb has of it: the difference report (spec 04)."""
    parts, rules = of_payload(delivery.payload)
    reported = _reported(parts, rules)
    if not reported:
        return Outcome()
    given, refused = given_back(reported), absent_entries(usage.entry_id for usage in reported)
    times = [usage.occurred_at for usage in reported]
    found = api.find_events(
        [str(usage.entry_id) for usage in reported], since=min(times), until=max(times) + timedelta(seconds=1)
    )
    faults = []
    for usage in reported:
        row = found.get(str(usage.entry_id))
        back = given.get(usage.entry_id)
        if usage.entry_id in refused or (back is not None and back.is_whole):
            continue
        if row is None or row.get("deprecated"):
            faults.append((usage, UsageFaultKind.MISSING, "Orb has no such event a day after it took it."))
            continue
        said = _difference(row, usage, rules[usage.product_id], back)
        if said:
            faults.append((usage, UsageFaultKind.DIFFERENT, said))
    return Outcome(faults)


def _difference(row: dict[str, object], usage: Usage, rule: ProductRule, given: Given | None) -> str:
    """Which of what Orb prices by differs, in words; empty where nothing does."""
    ours = event_of(usage, rule, given_back=given.amount if given else 0)
    theirs = row.get("properties")
    properties = theirs if isinstance(theirs, dict) else {}
    pairs = [(name, value, properties.get(name)) for name, value in ours["properties"].items()]
    pairs.append(("event_name", ours["event_name"], row.get("event_name")))
    differing = [f"{name} is {theirs!r} there and {ours!r} here" for name, ours, theirs in pairs if ours != theirs]
    return "; ".join(differing)[:500]


def record_usage(context: ExecutionContext, delivery: Delivery, outcome: Outcome) -> None:
    """Write down what the calls came to, with the item's end."""
    _write_faults(outcome)
    if outcome.halves is not None:
        _, rules = of_payload(delivery.payload)
        for name, half in zip("ab", outcome.halves, strict=True):
            payload = {**delivery.payload, **as_payload(half, rules)}
            outbox_enqueue(context, kind=REPORT_KIND, key=f"{delivery.key}{name}", payload=payload)
    elif delivery.kind == REPORT_KIND:
        item = outbox_enqueue(context, kind=CHECK_KIND, key=delivery.key, payload=delivery.payload)
        later = _BACKFILL_CHECKED_AFTER if "backfill" in delivery.payload else _CHECKED_AFTER
        OutboxItem.objects.filter(pk=item.pk).update(next_attempt_at=clock.real_now() + later)
    if outcome.amended is not None:
        usage, told = outcome.amended
        # Given back further while the call was under way: whichever call came last to Orb, it must end with all of it.
        if given_back([usage]).get(usage.entry_id) != told:
            amend_enqueue(context, usage, why=f"after-{delivery.item_id}")


def _write_faults(outcome: Outcome) -> None:
    now = clock.now()
    UsageFault.objects.bulk_create(
        [
            UsageFault(
                entry_id=usage.entry_id,
                organization_id=usage.organization_id,
                product_id=usage.product_id,
                kind=kind,
                sentence=said,
                occurred_at=usage.occurred_at,
                found_at=now,
            )
            for usage, kind, said in outcome.faults
        ],
        update_conflicts=True,
        unique_fields=["entry_id"],
        update_fields=["kind", "sentence", "found_at", "settled_at"],
    )


def _reported(parts: Sequence[Part], rules: dict[UUID, ProductRule]) -> list[Usage]:
    charges, _ = entries_in(parts)
    return [usage for usage in charges if is_reported(usage, rules)]


def _named(usage: Usage) -> ProductRule:
    """The product's name for its events, whether it reports now or not."""
    slug = Product.objects.values_list("slug", flat=True).get(pk=usage.product_id)
    return ProductRule(slug, usage.recorded_at)
