"""Carrying out the outbox: once each, retried with the same key, parked in the end (spec 04, Outbox)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.core import clock
from apps.core.models import OutboxItem
from apps.core.outbox import Delivery, OutboxError, outbox_drain
from apps.core.outbox.backoff import MAX_ATTEMPTS, retry_delay
from apps.core.outbox_handlers import message_id
from tests.contexts import console_context
from tests.core.outbox import CallHandler, FakeProvider, effects, enqueue, make_due
from tests.core.threads import at_once
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("wakeups")]


def drain(**options: Any) -> dict[str, int]:
    return {name: count for name, count in outbox_drain(console_context(), **options).as_counts().items() if count}


def test_due_items_are_carried_out_outside_any_transaction(provider: FakeProvider) -> None:
    keys = [enqueue().key for _ in range(5)]
    assert drain() == {"done": 5}
    assert provider.calls == keys
    assert provider.in_transaction == [False] * 5
    assert sorted(keys) == effects()
    item = OutboxItem.objects.filter(status="done").first()
    assert item is not None
    assert (item.attempts, item.lease_expires_at, item.last_error) == (1, None, "")
    assert drain() == {}


def test_a_drain_stops_at_its_limit_and_keeps_to_its_organization(provider: FakeProvider) -> None:
    items = [enqueue() for _ in range(4)]
    assert drain(organization_id=items[2].organization_id) == {"done": 1}
    assert drain(limit=2) == {"done": 2}
    assert drain() == {"done": 1}


def test_inside_a_transaction_it_refuses(provider: FakeProvider) -> None:
    enqueue()
    with pytest.raises(RuntimeError), transaction.atomic():
        drain()
    assert provider.calls == []


def fail_with(error: Exception) -> Any:
    def answer(_: Delivery) -> None:
        raise error

    return answer


def test_a_failed_call_is_tried_again_with_its_key_and_parked_in_the_end(provider: FakeProvider) -> None:
    item = enqueue()
    provider.answer = fail_with(OutboxError("HTTP 503, key sk_live_abc"))
    for _ in range(MAX_ATTEMPTS - 1):
        assert drain() == {"retried": 1}
        assert drain() == {}, "the delay must pass first"
        make_due()
    assert drain() == {"parked": 1}
    make_due()
    assert drain() == {}
    item.refresh_from_db()
    assert (item.status, item.attempts, item.last_error) == ("parked", MAX_ATTEMPTS, "HTTP 503, key [redacted]")
    assert provider.calls == [item.key] * MAX_ATTEMPTS
    assert effects() == []


def test_a_permanent_error_parks_at_once(provider: FakeProvider) -> None:
    enqueue()
    provider.answer = fail_with(OutboxError("No such customer", permanent=True))
    assert drain() == {"parked": 1}
    assert OutboxItem.objects.get().attempts == 1


def test_the_wish_of_the_provider_is_granted(provider: FakeProvider) -> None:
    enqueue()
    provider.answer = fail_with(OutboxError("HTTP 429", retry_after_seconds=1_800))
    before = clock.now()
    drain()
    assert OutboxItem.objects.get().next_attempt_at >= before + timedelta(seconds=1_800)


@pytest.mark.prove("one poisoned call in ten does not stop the others")
def test_poison_does_not_stop_the_others(provider: FakeProvider) -> None:
    """J6: one item in a hundred that can never be carried out."""
    total = size(small=100, full=1_000)
    poison = {enqueue(f"poison-{number}").key for number in range(total // 100)}
    good = {enqueue().key for _ in range(total - len(poison))}
    errors = [ZeroDivisionError("\x00 odd"), OutboxError("no"), KeyError("x")]

    def answer(delivery: Delivery) -> None:
        if delivery.key in poison:
            raise errors[delivery.attempt % len(errors)]

    provider.answer = answer
    for _ in range(MAX_ATTEMPTS):
        drain(limit=total)
        make_due()
    assert set(effects()) == good
    assert set(OutboxItem.objects.filter(status="parked").values_list("key", flat=True)) == poison


def test_when_writing_down_fails_the_item_is_tried_again(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = enqueue()

    def breaks(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO test_effect VALUES ('half')")
            cursor.execute("SELECT 1 / 0")

    with monkeypatch.context() as broken:
        broken.setattr(CallHandler, "record", breaks)
        assert drain() == {"retried": 1}
    assert effects() == []
    make_due()
    assert drain() == {"done": 1}
    assert provider.calls == [item.key] * 2
    assert effects() == [item.key]


@pytest.mark.prove("workers at the same moment share the outbox, each row once")
def test_workers_at_the_same_moment_share_the_work(provider: FakeProvider) -> None:
    keys = sorted(enqueue().key for _ in range(size(small=60, full=2_000)))
    at_once(8, lambda _: drain(limit=len(keys)))
    assert sorted(provider.calls) == effects() == keys


def test_control_workers_that_do_not_claim_repeat_the_work(provider: FakeProvider) -> None:
    """Reading what is due and carrying it out, without a claim: the test above must be able to notice."""
    keys = [enqueue().key for _ in range(20)]

    def naive(_: int) -> None:
        for item in list(OutboxItem.objects.filter(status="pending")):
            provider.calls.append(item.key)
            OutboxItem.objects.filter(pk=item.pk).update(status="done", finished_at=clock.now())

    at_once(8, naive)
    assert max(Counter(provider.calls)[key] for key in keys) > 1


def test_the_item_of_a_dead_worker_is_claimed_again_when_its_lease_ends(provider: FakeProvider) -> None:
    item = enqueue()
    OutboxItem.objects.update(status="in_progress", attempts=1, lease_expires_at=clock.now() + timedelta(minutes=1))
    assert drain() == {}
    make_due()
    assert drain() == {"done": 1}
    item.refresh_from_db()
    assert (item.status, item.attempts) == ("done", 2)


def test_an_item_that_kills_its_workers_is_parked(provider: FakeProvider) -> None:
    enqueue()
    OutboxItem.objects.update(status="in_progress", attempts=MAX_ATTEMPTS, lease_expires_at=clock.now())
    assert drain() == {"parked": 1}
    assert provider.calls == []
    assert "died" in OutboxItem.objects.get().last_error


def test_a_worker_that_comes_back_late_writes_nothing(provider: FakeProvider) -> None:
    item = enqueue()

    def answer(delivery: Delivery) -> None:
        if delivery.attempt == 1:
            make_due()
            assert at_once(1, lambda _: drain()) == [{"done": 1}]

    provider.answer = answer
    assert drain() == {"lost": 1}
    assert provider.calls == [item.key] * 2
    assert effects() == [item.key]


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.integers(0, 10**7))
def test_delays_grow_within_bounds(attempts: int, jitter: float, wish: int | None) -> None:
    delay = retry_delay(attempts, jitter=jitter, wish_seconds=wish)
    assert timedelta(seconds=15) <= delay <= timedelta(hours=2)
    assert delay >= retry_delay(attempts, jitter=1)
    assert retry_delay(attempts, jitter=0) <= retry_delay(attempts + 1, jitter=0)


@pytest.mark.parametrize("jitter", [-0.1, 1.1])
def test_jitter_is_a_share(jitter: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        retry_delay(1, jitter=jitter)


def test_an_email_carries_its_key() -> None:
    payload = {"to": ["ada@example.com"], "subject": "Grüße", "text": "Hello", "html": "<p>Hello</p>"}
    enqueue("mail-1", kind="email.send", payload=payload)
    assert drain() == {"done": 1}
    (message,) = mail.outbox
    assert (message.to, message.subject, message.body) == (["ada@example.com"], "Grüße", "Hello")
    assert message.message()["X-Idempotency-Key"] == "mail-1"
    assert message.message()["Message-ID"] == message_id("mail-1")
    assert message_id("mail-1") != message_id("mail-2")


BAD_EMAILS: list[dict[str, Any]] = [
    {},
    {"to": ["a@example.com"], "subject": "x"},
    {"to": None, "subject": "x", "text": "y"},
    {"to": ["a@example.com\nBcc: b@example.com"], "subject": "x", "text": "y"},
    {"to": ["a@example.com"], "subject": "x\r\nBcc: b@example.com", "text": "y"},
]


@pytest.mark.parametrize("payload", BAD_EMAILS, ids=str)
def test_a_bad_email_is_parked(payload: dict[str, Any]) -> None:
    enqueue(kind="email.send", payload=payload)
    assert drain() == {"parked": 1}
    assert mail.outbox == []


@pytest.mark.parametrize("error", [DatabaseError, TypeError])
def test_an_unheard_of_error_is_a_failed_try(provider: FakeProvider, error: type[Exception]) -> None:
    enqueue()
    provider.answer = fail_with(error("odd"))
    assert drain() == {"retried": 1}
    assert OutboxItem.objects.get().last_error == f"{error.__name__}: odd"
