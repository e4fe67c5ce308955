"""Sends usage to Orb that was recorded while it was not reported (spec 04, Usage to Orb).

Orb takes events that are older than its grace period within a backfill alone, which covers at most a month. So each
month is a call that opens one, and its answer writes the batches, which go the way of all batches.
"""

from __future__ import annotations

import calendar
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.canonical import moment_text
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.operations import require
from apps.core.outbox import Delivery, outbox_enqueue
from apps.payments import events
from apps.payments.models import UsagePeriod, UsageReporting
from apps.payments.providers.orb.api import OrbApi
from apps.payments.rules.usage import ProductRule, as_payload, gaps, of_payload, pack
from apps.payments.selectors.usage import months_untold, parts_untold, reported_periods
from apps.payments.services.usage import REPORT_KIND

BACKFILL_KIND = "orb.open_backfill"


@dataclass(frozen=True, slots=True)
class Backfill:
    """What is sent: the times in which it was recorded, and the charges of each month in which it occurred."""

    recorded: list[tuple[datetime, datetime]]
    months: list[tuple[datetime, int]]


@transaction.atomic
def usage_backfill(
    context: ExecutionContext, *, product_id: ProductId, since: datetime, reason: str, is_dry_run: bool = False
) -> Backfill:
    """Send what was recorded since then and Orb was not told of; each charge once, however often this is repeated.

    What was given back meanwhile is left out. Raises `ForbiddenError`; `UnprocessableError` without a reason;
    `NotFoundError`; `ConflictError` while the product's usage is not reported, or all of it since then was.
    """
    require(context, "usage_reporting.change")
    if not reason.strip():
        raise UnprocessableError("Say why this usage is to be sent now.")
    row = _reporting_for_update(product_id)
    untold = gaps(since, reported_periods([row.pk])[row.pk])
    if not untold:
        raise ConflictError(f"Orb was told of everything that was recorded since {moment_text(since)}.")
    rules = [ProductRule(row.product.slug, begin, row.includes_unpriced, reports_until=end) for begin, end in untold]
    months = [(rule, months_untold(row.pk, rule)) for rule in rules]
    done = Backfill(untold, sorted(sum((Counter(dict(found)) for _, found in months), Counter()).items()))
    if not is_dry_run:
        now = clock.now()
        for (begin, end), (rule, found) in zip(untold, months, strict=True):
            UsagePeriod.objects.create(
                product_id=row.pk, recorded_from=begin, recorded_until=end, includes_unpriced=row.includes_unpriced
            )
            _send(context, row, rule, [_bounds(month, now) for month, _ in found])
        after = {"recorded": untold, "charges": sum(charges for _, charges in done.months)}
        audit_append(context, events.USAGE_BACKFILLED, row.product.audit_target, after=after, reason=reason)
    return done


def _reporting_for_update(product_id: ProductId) -> UsageReporting:
    row = UsageReporting.objects.select_for_update().select_related("product").filter(pk=product_id).first()
    if row is None:
        raise NotFoundError("Usage of this product was never reported to Orb. Switch it on first, on its page.")
    if row.reports_from is None:
        raise ConflictError("Usage of this product is not reported to Orb now. Switch it on first, on its page.")
    return row


def _send(
    context: ExecutionContext, row: UsageReporting, rule: ProductRule, months: list[tuple[datetime, datetime]]
) -> None:
    for month in months:
        of_month = replace(rule, occurred=month)
        key = f"backfill-{row.pk}-{moment_text(rule.reports_from)}-{month[0]:%Y-%m}"
        outbox_enqueue(context, kind=BACKFILL_KIND, key=key, payload=as_payload([], {row.pk: of_month}))


def _bounds(month: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The whole month, or as much of it as is over: the same for each of several gaps, which share one backfill."""
    days = calendar.monthrange(month.year, month.month)[1]
    return month, min(month + timedelta(days=days), now)


def open_backfill(api: OrbApi, delivery: Delivery) -> str:
    """Open the backfill of one month; its id."""
    _, rule = _rule_of(delivery)
    if rule.occurred is None:
        raise ValueError("A backfill is for a time.")
    return api.open_backfill(key=delivery.key, since=rule.occurred[0], until=rule.occurred[1])


def record_backfill(context: ExecutionContext, delivery: Delivery, backfill_id: str) -> None:
    """Write the batches of the month, with the call's end."""
    product_id, rule = _rule_of(delivery)
    for number, batch in enumerate(pack(parts_untold(product_id, rule)), start=1):
        payload = {**as_payload(batch, {product_id: rule}), "backfill": backfill_id}
        outbox_enqueue(context, kind=REPORT_KIND, key=f"{delivery.key}-{number}", payload=payload)


def _rule_of(delivery: Delivery) -> tuple[UUID, ProductRule]:
    _, rules = of_payload(delivery.payload)
    ((product_id, rule),) = rules.items()
    return product_id, rule
