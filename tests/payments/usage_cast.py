"""Organizations whose usage goes to Orb, and what Orb must have of them, computed from the ledger in another way."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apps.core import clock
from apps.core.amounts import format_micro
from apps.core.canonical import moment_text
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.ids import ProductId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume, entry_reverse
from apps.payments.models import UsageFault, UsageReporting
from apps.payments.services import usage_report, usage_reporting_change
from apps.subscriptions.models import OrganizationPaymentConfig
from tests.contexts import console_context, staff_context
from tests.credits.cast import Place, consumption, make_place


def make_billed_place(slug: str = "red", **values: Any) -> Place:
    """A place whose organization is Orb's customer and whose product reports."""
    place = make_place(slug, **{"whole_credits": 10_000, **values})
    become_customer(place)
    report(place)
    return place


def become_customer(place: Place) -> None:
    # As if Orb had answered.
    OutboxItem.objects.filter(kind="orb.create_customer").delete()
    OrganizationPaymentConfig.objects.filter(organization=place.organization).update(
        orb_customer_id=f"orb_{uuid.uuid4().hex}"
    )


def report(place: Place, *, is_on: bool = True, includes_unpriced: bool = False) -> None:
    usage_reporting_change(
        staff_context(Role.PLATFORM_ADMIN),
        product_id=ProductId(place.product.pk),
        is_on=is_on,
        includes_unpriced=includes_unpriced,
        reason="Orb prices what credits don't pay.",
    )


def tell(context: ExecutionContext | None = None) -> dict[str, int]:
    """One firing, and every call that follows from it at once."""
    counts = usage_report(context or console_context())
    outbox_drain(console_context())
    return counts


def refuse(error: type[Exception], act: Callable[[], object]) -> None:
    """`act` is refused, and has changed nothing."""

    def state() -> list[Any]:
        return [
            list(model.objects.order_by("pk").values())
            for model in (UsageReporting, UsageFault, OutboxItem, AuditEntry)
        ]

    before = state()
    with pytest.raises(error):
        act()
    assert state() == before


def drain_later() -> None:
    """Carry out what waits, as if its wait were over."""
    OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at=clock.now())
    outbox_drain(console_context())


def expected_events(place: Place) -> dict[str, dict[str, Any]]:
    """What Orb must bill, read entry by entry."""
    entries = list(CreditEntry.objects.filter(account_id=place.organization.pk).order_by("sequence"))
    back: dict[uuid.UUID, int] = {}
    for entry in entries:
        if entry.reversal_of_id:
            back[entry.reversal_of_id] = back.get(entry.reversal_of_id, 0) + entry.amount
    expected = {}
    for entry in entries:
        if entry.kind not in {"consumption", "capture"} or entry.category != "regular" or not entry.is_billable:
            continue
        left = -entry.amount - back.get(entry.pk, 0)
        if entry.pk in back and not left:
            continue
        expected[str(entry.pk)] = {
            "event_name": f"{place.product.slug}.{entry.operation}",
            "external_customer_id": str(place.organization.pk),
            "timestamp": moment_text(entry.occurred_at),
            "properties": {
                "quantity": format_micro(entry.quantity),
                "quantity_micro": entry.quantity,
                "free_quantity_micro": entry.free_quantity,
                "category": "regular",
                "charged": format_micro(left),
                "charged_micro": left,
                "paid_by": "credits" if entry.amount else "none",
                "workspace_id": str(entry.workspace_id or ""),
            },
        }
    return expected


def charge(place: Place, times: int = 1, **values: object) -> list[CreditEntry]:
    keys = [uuid.uuid4().hex for _ in range(times)]
    for key in keys:
        credits_consume(place.context, consumption=consumption(place, key, **values))
    return list(CreditEntry.objects.filter(idempotency_key__in=keys).order_by("sequence"))


def give_back(place: Place, entry: CreditEntry, amount: int | None = None) -> None:
    entry_reverse(place.context, key=uuid.uuid4().hex, entry_id=entry.pk, reason="It failed.", amount=amount)
