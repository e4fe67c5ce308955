"""Events that fail: tried again, parked with their error, put back to work by a person; never dropped (spec 04)."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry
from apps.core.outbox.backoff import MAX_ATTEMPTS
from apps.payments.models import ProviderInvoice, WebhookEvent
from apps.payments.services import events as services
from apps.payments.services import webhook_event_process, webhook_event_process_again
from apps.subscriptions.models import WorkspaceSubscription
from tests.contexts import console_context, staff_context
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, post, stored, sweep
from tests.subscriptions.cast import REASON, make_plan

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_subscription_to_an_unknown_plan_is_parked_and_processed_again_once_the_plan_is_there() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    created = stripe.event("customer.subscription.created", stripe.subscription("active"), NOON)
    deliver(stripe.checkout(NOON), created)
    event = stored(created)
    assert (event.status, event.attempts) == ("failed", 1)
    assert "'team'" in event.error
    assert tenant.config.subscription_status == "subscribed"
    make_plan()
    webhook_event_process_again(staff_context(), event_pk=event.pk, reason=REASON)
    assert AuditEntry.objects.filter(event="webhook_event.processed_again").count() == 1
    sweep()
    assert stored(created).status == "processed"
    assert WorkspaceSubscription.objects.get(workspace=tenant.workspace).state == "active"


def test_an_error_is_tried_again_with_growing_delay_and_then_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Stripe(make_tenant()).checkout(NOON)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(services, "process", broken)
    assert post(event) == 200
    delays = []
    for _ in range(MAX_ATTEMPTS):
        WebhookEvent.objects.update(next_try_at=clock.now())
        webhook_event_process(console_context(), event_pk=stored(event).pk)
        delays.append((stored(event).next_try_at or clock.now()) - clock.now())
    row = stored(event)
    assert (row.status, row.attempts, row.error) == ("failed", MAX_ATTEMPTS, "RuntimeError: a mistake of ours")
    assert max(delays[:3]) < timedelta(minutes=3) < max(delays)
    monkeypatch.undo()


def test_who_may_not_changes_nothing() -> None:
    event = Stripe(make_tenant()).checkout(NOON)
    deliver(event)
    row = stored(event)
    before = WebhookEvent.objects.values().get()
    with pytest.raises(ForbiddenError):
        webhook_event_process_again(staff_context(Role.SUPPORT), event_pk=row.pk, reason=REASON)
    with pytest.raises(UnprocessableError):
        webhook_event_process_again(staff_context(), event_pk=row.pk, reason=" ")
    with pytest.raises(ConflictError):
        webhook_event_process_again(staff_context(), event_pk=row.pk, reason=REASON)
    with pytest.raises(NotFoundError):
        webhook_event_process_again(staff_context(), event_pk=make_tenant().organization.pk, reason=REASON)
    assert WebhookEvent.objects.values().get() == before
    assert before["status"] == "processed"


def test_an_event_whose_worker_died_is_taken_up_when_its_lease_ends() -> None:
    tenant = make_tenant()
    event = Stripe(tenant).checkout(NOON)
    assert post(event) == 200
    WebhookEvent.objects.update(status="processing", attempts=1, lease_expires_at=clock.now() + timedelta(minutes=1))
    assert sweep()["processed"] == 0
    WebhookEvent.objects.update(lease_expires_at=clock.now())
    assert sweep()["processed"] == 1
    assert tenant.status == "okay"


def test_a_sweep_whose_time_is_over_leaves_the_next_event_unclaimed(monkeypatch: pytest.MonkeyPatch) -> None:
    stripe = Stripe(make_tenant())
    assert [post(event) for event in (stripe.checkout(NOON), stripe.checkout(NOON + timedelta(hours=1)))] == [200, 200]
    monkeypatch.setattr(services, "LONGEST_SWEEP", timedelta(0))
    assert sweep()["processed"] == 1
    assert list(WebhookEvent.objects.values_list("status", "attempts").order_by("status")) == [
        ("processed", 1),
        ("received", 0),
    ]
    assert sweep()["processed"] == 1


@pytest.mark.slow
def test_two_events_of_one_organization_at_the_same_time_converge() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    events = [stripe.event("invoice.payment_failed", stripe.invoice(str(n), "open"), NOON) for n in range(4)]
    events += [
        stripe.event("invoice.paid", stripe.invoice(str(n), "paid"), NOON + timedelta(hours=1)) for n in range(4)
    ]
    for event in events:
        assert post(event) == 200
    together = Barrier(len(events))

    def work(event: dict[str, object]) -> None:
        try:
            row = stored(event)
            together.wait()
            webhook_event_process(console_context(), event_pk=row.pk)
        finally:
            connection.close()

    threads = [Thread(target=work, args=[event]) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    WebhookEvent.objects.filter(status="received").update(next_try_at=clock.now())
    sweep()
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"processed"}
    assert set(ProviderInvoice.objects.values_list("status", flat=True)) == {"paid"}
    assert tenant.status == "okay"
