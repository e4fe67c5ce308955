"""Writing to the outbox: in the transaction of the cause, once a key, suppressed in demo tenants."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError, transaction
from kombu.exceptions import OperationalError

from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, OutboxItemId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import (
    outbox_alarming,
    outbox_dismiss,
    outbox_drain,
    outbox_enqueue,
    outbox_handler,
    outbox_retry,
    waiting_reason,
)
from apps.core.registry import RegistryError
from apps.core.retention import PURGE_HISTORY, purge
from apps.core.states import OutboxStatus
from tests.contexts import console_context, staff_context
from tests.core.outbox import KIND, CallHandler, FakeProvider, enqueue
from tests.core.threads import at_once

Wakeups = list[tuple[str, tuple[str, ...]]]


@pytest.mark.django_db
def test_an_item_keeps_its_cause() -> None:
    organization_id = OrganizationId(uuid.uuid4())
    context = staff_context()
    with transaction.atomic():
        item = outbox_enqueue(
            context, kind=KIND, key="k-1", payload={"id": uuid.UUID(int=7)}, organization_id=organization_id
        )
    item.refresh_from_db()
    assert (item.status, item.attempts, item.key, item.organization_id) == ("pending", 0, "k-1", organization_id)
    assert (item.actor_kind, item.actor_label, item.request_id) == ("user", context.actor.label, context.request_id)
    assert item.payload == {"id": "00000000-0000-0000-0000-000000000007"}


@pytest.mark.django_db
def test_the_same_key_again_is_the_same_item() -> None:
    first, again, other = enqueue("k-1"), enqueue("k-1", payload={"name": "Eve"}), enqueue("k-1", kind="other.kind")
    assert (again.pk, again.payload) == (first.pk, {"name": "Ada"})
    assert other.pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_is_one_item(wakeups: Wakeups) -> None:
    results = at_once(16, lambda _: enqueue("k-1").pk)
    assert {str(result) for result in results} == {str(OutboxItem.objects.get().pk)}


@pytest.mark.django_db(transaction=True)
def test_without_its_cause_there_is_no_item_and_no_hint(wakeups: Wakeups) -> None:
    def cause_then_fail() -> None:
        enqueue()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        cause_then_fail()
    with pytest.raises(RuntimeError, match="outside a transaction"):
        outbox_enqueue(console_context(), kind=KIND, key="k", payload={})
    assert not OutboxItem.objects.exists()
    assert wakeups == []


@pytest.mark.django_db(transaction=True)
def test_many_items_of_one_transaction_are_one_hint(wakeups: Wakeups) -> None:
    with transaction.atomic():
        for _ in range(5):
            enqueue()
        assert wakeups == []
    assert wakeups == [("core.drain_outbox", ())]


@pytest.mark.django_db(transaction=True)
def test_a_lost_hint_loses_nothing_and_silences_the_next(
    monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, wakeups: Wakeups
) -> None:
    tries = []

    def refuse(*_: object, **__: object) -> None:
        tries.append(1)
        raise OperationalError("The broker is away.")

    with monkeypatch.context() as away:
        away.setattr("apps.core.wakeups.current_app.send_task", refuse)
        items = [enqueue() for _ in range(3)]
    assert len(tries) == 1
    assert outbox_drain(console_context()).done == 3
    assert provider.calls == [item.key for item in items]
    with time_machine.travel(clock.now() + timedelta(seconds=16)):
        enqueue()
    assert wakeups == [("core.drain_outbox", ())]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["password", "api_key", "token"])
def test_a_secret_is_not_taken(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        enqueue(payload={field: "hunter2"})
    assert not OutboxItem.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_context", [True, False])
def test_nothing_leaves_the_building_from_a_demo_tenant(
    provider: FakeProvider, wakeups: Wakeups, by_context: bool
) -> None:
    with transaction.atomic():
        item = outbox_enqueue(
            console_context(is_demo=by_context), kind=KIND, key="k", payload={}, is_demo=not by_context
        )
    assert (item.status, wakeups) == (OutboxStatus.SUPPRESSED, [])
    assert outbox_drain(console_context()).as_counts() == {"done": 0, "retried": 0, "parked": 0, "lost": 0}
    assert provider.calls == []
    with pytest.raises(ConflictError):
        outbox_retry(staff_context(), item_id=OutboxItemId(item.pk), reason="Now")


@pytest.fixture
def parked(db: None) -> OutboxItem:
    item = enqueue()
    OutboxItem.objects.update(status="parked", attempts=12, last_error="HTTP 400", finished_at=item.created_at)
    item.refresh_from_db()
    return item


def test_a_parked_item_is_tried_again_with_its_key(parked: OutboxItem) -> None:
    item = outbox_retry(staff_context(), item_id=OutboxItemId(parked.pk), reason="The address was corrected")
    item.refresh_from_db()
    assert (item.status, item.attempts, item.key, item.finished_at) == ("pending", 0, parked.key, None)
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.target_id, entry.reason) == (
        "outbox_item.retried",
        str(parked.pk),
        "The address was corrected",
    )
    assert (entry.organization_id, entry.before["last_error"]) == (parked.organization_id, "HTTP 400")


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN}])
def test_other_roles_may_not_try_again(parked: OutboxItem, role: Role) -> None:
    with pytest.raises(ForbiddenError):
        outbox_retry(staff_context(role), item_id=OutboxItemId(parked.pk), reason="Please")
    parked.refresh_from_db()
    assert parked.status == "parked"
    assert not AuditEntry.objects.exists()


def test_trying_again_wants_a_reason_and_a_parked_item(parked: OutboxItem) -> None:
    with pytest.raises(UnprocessableError):
        outbox_retry(staff_context(), item_id=OutboxItemId(parked.pk), reason="  ")
    with pytest.raises(NotFoundError):
        outbox_retry(staff_context(), item_id=OutboxItemId(uuid.uuid4()), reason="Please")
    outbox_retry(staff_context(), item_id=OutboxItemId(parked.pk), reason="Once")
    with pytest.raises(ConflictError):
        outbox_retry(staff_context(), item_id=OutboxItemId(parked.pk), reason="Twice")
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_kinds_that_are_not_configured_wait_and_say_why(provider: FakeProvider, wakeups: Wakeups) -> None:
    provider.missing = "TEST_KEY is not set."
    enqueue()
    enqueue(kind="nobody.knows")
    assert outbox_drain(console_context()).done == 0
    assert set(OutboxItem.objects.values_list("status", "attempts")) == {("pending", 0)}
    assert waiting_reason(KIND) == "TEST_KEY is not set."
    assert waiting_reason("nobody.knows") == "Nothing here knows how to carry out nobody.knows."
    provider.missing = ""
    assert (outbox_drain(console_context()).done, waiting_reason(KIND)) == (1, "")


def test_a_kind_has_one_handler() -> None:
    with pytest.raises(RegistryError, match="registered twice"):
        outbox_handler(KIND)(CallHandler)


INCOHERENT = [
    {"status": "unheard_of"},
    {"status": "in_progress"},
    {"status": "done"},
    {"lease_expires_at": "2026-04-03T10:00Z"},
    {"finished_at": "2026-04-03T10:00Z"},
    {"key": ""},
]


@pytest.mark.django_db
@pytest.mark.parametrize("values", INCOHERENT, ids=str)
def test_the_database_refuses_incoherent_items(values: dict[str, str]) -> None:
    item = enqueue()
    with pytest.raises(DatabaseError, match="violates check constraint"), transaction.atomic():
        OutboxItem.objects.filter(pk=item.pk).update(**values)


def test_a_parked_item_is_dismissed_and_can_be_tried_again(parked: OutboxItem) -> None:
    assert list(outbox_alarming()) == [parked]
    item = outbox_dismiss(staff_context(), item_id=OutboxItemId(parked.pk), reason="The address is gone")
    assert (item.status, item.is_dismissed, list(outbox_alarming())) == ("parked", True, [])
    with pytest.raises(ConflictError, match="dismissed already"):
        outbox_dismiss(staff_context(), item_id=OutboxItemId(parked.pk), reason="Twice")
    [entry] = AuditEntry.objects.all()
    assert (entry.event, entry.target_id, entry.reason) == (
        "outbox_item.dismissed",
        str(parked.pk),
        "The address is gone",
    )
    outbox_retry(staff_context(), item_id=OutboxItemId(parked.pk), reason="There is another one")
    parked.refresh_from_db()
    assert (parked.status, parked.dismissed_at) == ("pending", None)


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN}])
def test_other_roles_may_not_dismiss(parked: OutboxItem, role: Role) -> None:
    with pytest.raises(ForbiddenError):
        outbox_dismiss(staff_context(role), item_id=OutboxItemId(parked.pk), reason="Please")
    assert list(outbox_alarming()) == [parked]
    assert not AuditEntry.objects.exists()


def test_dismissing_wants_a_reason_and_a_parked_item(parked: OutboxItem) -> None:
    with pytest.raises(UnprocessableError):
        outbox_dismiss(staff_context(), item_id=OutboxItemId(parked.pk), reason="  ")
    OutboxItem.objects.update(status="pending", finished_at=None)
    with pytest.raises(ConflictError):
        outbox_dismiss(staff_context(), item_id=OutboxItemId(parked.pk), reason="Please")
    parked.refresh_from_db()
    assert parked.dismissed_at is None


def test_a_dismissed_item_is_removed_in_its_time(parked: OutboxItem) -> None:
    outbox_dismiss(staff_context(), item_id=OutboxItemId(parked.pk), reason="The address is gone")
    for days, left in ((80, 1), (100, 0)):
        OutboxItem.objects.update(**dict.fromkeys(("created_at", "finished_at"), clock.now() - timedelta(days=200)))
        OutboxItem.objects.update(dismissed_at=clock.now() - timedelta(days=days))
        purge(PURGE_HISTORY)
        assert OutboxItem.objects.count() == left
