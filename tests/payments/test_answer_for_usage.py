"""What Orb answers to usage: refusals to a person, limits, lost answers, and what it has a day later (spec 04)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from apps.core import clock
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.payments.models import UsageFault, UsagePosition
from apps.payments.rules.usage import (
    MOST_EVENTS,
)
from apps.payments.services import usage_fault_settle, usage_report, usage_send_again
from tests.contexts import console_context, product_context, staff_context
from tests.counterparts.orb_fake import OrbFake
from tests.payments.usage_cast import (
    charge,
    drain_later,
    expected_events,
    give_back,
    make_billed_place,
    refuse,
    tell,
)


# --- What Orb answers -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("takes_the_others", [True, False])
def test_an_event_that_orb_refuses_is_kept_for_a_person_and_stops_no_other(
    orb: OrbFake, takes_the_others: bool
) -> None:
    place = make_billed_place()
    entries = charge(place, 5)
    late = str(entries[2].pk)
    orb.takes_the_others = takes_the_others
    orb.refuse = lambda event: "timestamp is older than the grace period" if event["idempotency_key"] == late else ""
    tell()
    expected = expected_events(place)
    expected.pop(late)
    assert orb.billed == expected
    assert set(orb.taken.values()) == {1}
    fault = UsageFault.objects.get()
    assert (str(fault.pk), fault.kind, fault.sentence) == (late, "refused", "timestamp is older than the grace period")
    # Given back afterwards: Orb never had it, and there is nothing to amend.
    give_back(place, entries[2])
    tell()
    assert not OutboxItem.objects.exclude(status=OutboxStatus.DONE).filter(kind="orb.amend_usage").exists()

    orb.refuse = lambda event: ""
    usage_send_again(staff_context(), entry_id=fault.pk, reason="Orb's grace period was extended.")
    outbox_drain(console_context())
    drain_later()
    assert orb.billed == expected_events(place)
    assert UsageFault.objects.get().kind == "sent_again"
    refuse(NotFoundError, lambda: usage_fault_settle(staff_context(), entry_id=uuid.uuid4(), reason="Done."))


@pytest.mark.django_db(transaction=True)
def test_a_person_settles_a_line(orb: OrbFake) -> None:
    place = make_billed_place()
    charge(place)
    orb.refuse = lambda event: "no such customer"
    tell()
    fault = UsageFault.objects.get()
    refuse(ForbiddenError, lambda: usage_fault_settle(product_context(place.product), entry_id=fault.pk, reason="x"))
    refuse(UnprocessableError, lambda: usage_fault_settle(staff_context(), entry_id=fault.pk, reason=" "))
    usage_fault_settle(staff_context(), entry_id=fault.pk, reason="A credit note was written at Orb.")
    fault.refresh_from_db()
    assert fault.settled_at is not None
    refuse(ConflictError, lambda: usage_fault_settle(staff_context(), entry_id=fault.pk, reason="Done."))
    refuse(ConflictError, lambda: usage_send_again(staff_context(), entry_id=fault.pk, reason="Done."))
    assert AuditEntry.objects.filter(event="usage_fault.settled").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_too_large_is_halved_until_orb_takes_it(orb: OrbFake) -> None:
    place = make_billed_place()
    charge(place, 7)
    orb.most_events = 2
    tell()
    drain_later()
    assert orb.billed == expected_events(place)
    assert len(orb.billed) == 7
    assert set(orb.taken.values()) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_limit_makes_every_batch_wait_as_long_as_orb_asks(orb: OrbFake) -> None:
    places = [make_billed_place("red"), make_billed_place("blue")]
    for place in places:
        charge(place)
        usage_report(console_context())
    orb.faults = ["429"]
    before = clock.now()
    outbox_drain(console_context())
    waits = list(OutboxItem.objects.filter(kind="orb.report_usage").values_list("status", "next_attempt_at"))
    assert len(waits) == 2
    for status, next_attempt_at in waits:
        assert status == OutboxStatus.PENDING
        assert next_attempt_at >= before + timedelta(seconds=orb.retry_after)
    assert [request for request in orb.requests if request[1] == "/ingest"] == [("POST", "/ingest", 1)]
    drain_later()
    assert orb.billed == expected_events(places[0]) | expected_events(places[1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("faults", [["drop"] * 3, ["500"] * 3, ["drop", "500", "drop"]])
@pytest.mark.slow
def test_lost_answers_double_nothing(orb: OrbFake, faults: list[str]) -> None:
    place = make_billed_place()
    charge(place, 3)
    orb.faults = list(faults)
    tell()
    drain_later()
    assert orb.billed == expected_events(place)
    assert set(orb.taken.values()) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_reversal_in_a_period_that_was_invoiced_stands_in_the_report(orb: OrbFake) -> None:
    place = make_billed_place()
    (entry,) = charge(place)
    tell()
    orb.refuse_amendment = lambda key: "The billing period was invoiced already"
    give_back(place, entry)
    tell()
    assert UsageFault.objects.get().kind == "not_amended"
    assert not OutboxItem.objects.filter(status=OutboxStatus.PARKED).exists()


@pytest.mark.django_db(transaction=True)
def test_a_day_later_orb_is_asked_what_it_has(orb: OrbFake) -> None:
    place = make_billed_place()
    same, lost, other, back = charge(place, 4)
    tell()
    give_back(place, back)
    tell()
    check = OutboxItem.objects.get(kind="orb.check_usage")
    assert check.next_attempt_at > clock.now() + timedelta(hours=23)
    orb.events.pop(str(lost.pk))
    orb.events[str(other.pk)]["properties"]["quantity_micro"] = 5
    drain_later()
    faults = {fault.pk: (fault.kind, fault.sentence) for fault in UsageFault.objects.all()}
    assert faults == {
        lost.pk: ("missing", "Orb has no such event a day after it took it."),
        other.pk: ("different", "quantity_micro is 5 there and 1000000 here"),
    }
    assert same.pk not in faults


# --- What it costs ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_firing_reads_what_is_new_and_nothing_else(
    orb: OrbFake, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    place = make_billed_place()
    charge(place, 30)
    tell()
    with django_assert_num_queries(3):
        assert usage_report(console_context())["entries"] == 0
    with time_machine.travel(clock.now() + timedelta(hours=1), tick=False):
        charge(place)
    assert usage_report(console_context())["entries"] == 1
    assert UsagePosition.objects.get(pk=place.organization.pk).last_sequence == place.account.last_sequence


@pytest.mark.django_db(transaction=True)
def test_a_firing_is_bounded_and_the_next_goes_on(orb: OrbFake) -> None:
    place = make_billed_place()
    charge(place, 4)
    assert MOST_EVENTS == 500
    assert usage_report(console_context(), most_entries=0)["entries"] == 0
    assert tell()["entries"] == 4
