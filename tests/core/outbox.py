"""A provider for the tests of the outbox, and items for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import connection, transaction

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.models import OutboxItem
from apps.core.outbox import Delivery, OutboxHandler, outbox_enqueue, outbox_handler
from tests.contexts import console_context

KIND = "test.call"
LOOSE_KIND = "test.loose_call"


@dataclass
class FakeProvider:
    """What the provider was asked, and how it answers."""

    calls: list[str] = field(default_factory=list)
    in_transaction: list[bool] = field(default_factory=list)
    answer: Callable[[Delivery], Any] = lambda delivery: delivery.key
    missing: str = ""
    log: str = ""

    def called(self, delivery: Delivery) -> Any:
        self.calls.append(delivery.key)
        self.in_transaction.append(connection.in_atomic_block)
        if self.log:
            # One short write of an appended file is not torn apart by a kill.
            with open(self.log, "a", encoding="ascii") as log:  # noqa: PTH123
                log.write(f"{delivery.item_id} {delivery.key}\n")
        return self.answer(delivery)


@outbox_handler(KIND)
class CallHandler(OutboxHandler):
    """Writes its effect in `record`, as handlers should."""

    provider: ClassVar[FakeProvider] = FakeProvider()

    def unconfigured_reason(self) -> str:
        return CallHandler.provider.missing

    def deliver(self, delivery: Delivery) -> Any:
        return CallHandler.provider.called(delivery)

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        leave_effect(delivery.key)


@outbox_handler(LOOSE_KIND)
class LooseHandler(OutboxHandler):
    """The control: writes its effect by itself, apart from marking the item done."""

    def unconfigured_reason(self) -> str:
        return CallHandler.provider.missing

    def deliver(self, delivery: Delivery) -> Any:
        CallHandler.provider.called(delivery)
        leave_effect(delivery.key)


def leave_effect(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO test_effect VALUES (%s)", [key])


def effects() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM test_effect ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


def enqueue(key: str = "", *, kind: str = KIND, is_demo: bool = False, **changes: Any) -> OutboxItem:
    facts: dict[str, Any] = {
        "payload": {"name": "Ada"},
        "organization_id": OrganizationId(uuid.uuid4()),
        **changes,
    }
    with transaction.atomic():
        return outbox_enqueue(console_context(is_demo=is_demo), kind=kind, key=key or uuid.uuid4().hex, **facts)


def make_due() -> None:
    """As if the time that failed items wait had passed."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_outboxitem SET next_attempt_at = next_attempt_at - interval '1 day'")
        cursor.execute("UPDATE core_outboxitem SET lease_expires_at = lease_expires_at - interval '1 day'")
