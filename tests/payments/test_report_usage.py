"""Usage goes to Orb: each entry once, reversals as amendments, refusals to a person (spec 04, Usage to Orb)."""

from __future__ import annotations

from datetime import timedelta

import pgtrigger
import pytest

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.errors import ForbiddenError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.payments.models import UsageFault, UsageReporting
from apps.payments.services import usage_report, usage_reporting_change
from apps.tenants.models import Organization
from tests.contexts import console_context, product_context, staff_context
from tests.counterparts.orb_fake import OrbFake
from tests.credits.cast import make_place
from tests.payments.usage_cast import (
    become_customer,
    charge,
    drain_later,
    expected_events,
    give_back,
    make_billed_place,
    refuse,
    report,
    tell,
)


# --- From the ledger to Orb -------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_each_charge_goes_once_with_its_own_id_as_key(orb: OrbFake) -> None:
    place = make_billed_place()
    charge(place, 3)
    charge(place, operation="scan", quantity=107_500_000)
    assert tell() == {"entries": 4, "events": 4, "reversals": 0, "batches": 1}
    assert orb.billed == expected_events(place)
    assert len(orb.billed) == 4
    assert tell() == {"entries": 0, "events": 0, "reversals": 0, "batches": 0}
    assert set(orb.taken.values()) == {1}
    scan = next(event for event in orb.billed.values() if event["event_name"] == "red.scan")["properties"]
    assert (scan["quantity"], scan["free_quantity_micro"], scan["charged"]) == ("107.5", 100 * MICRO, "0.08")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("includes_unpriced", [False, True])
def test_what_is_free_goes_by_a_switch_of_its_own(orb: OrbFake, includes_unpriced: bool) -> None:
    place = make_billed_place()
    report(place, includes_unpriced=includes_unpriced)
    charge(place, operation="scan", quantity=7_500_000)
    tell()
    told = [(event["properties"]["category"], event["properties"]["paid_by"]) for event in orb.billed.values()]
    assert told == ([("free", "none")] if includes_unpriced else [])


@pytest.mark.django_db(transaction=True)
def test_what_nobody_is_billed_for_does_not_go(orb: OrbFake) -> None:
    place = make_billed_place()
    charge(place, outcome="failed")
    tell()
    assert orb.billed == {}
    assert not OutboxItem.objects.filter(kind="orb.report_usage").exists()


@pytest.mark.django_db(transaction=True)
def test_a_reversal_amends_and_a_whole_one_takes_the_event_out(orb: OrbFake) -> None:
    place = make_billed_place()
    part, whole, told = charge(place, 3)
    tell()
    give_back(place, part, MICRO)
    give_back(place, whole)
    give_back(place, told, MICRO)
    give_back(place, told, MICRO // 2)
    assert tell()["reversals"] == 4
    assert orb.billed == expected_events(place)
    assert orb.events[str(part.pk)]["properties"]["charged"] == "1.5"
    assert orb.events[str(told.pk)]["properties"]["charged"] == "1"
    assert orb.deprecated == {str(whole.pk)}


@pytest.mark.django_db(transaction=True)
def test_a_charge_that_is_given_back_before_anything_was_sent(orb: OrbFake) -> None:
    place = make_billed_place()
    (entry,) = charge(place)
    give_back(place, entry)
    tell()
    drain_later()
    assert orb.billed == {}
    # A repetition that comes late is refused by Orb, and nothing is amiss.
    OutboxItem.objects.filter(kind="orb.report_usage").update(status=OutboxStatus.PENDING, finished_at=None)
    drain_later()
    assert (orb.billed, UsageFault.objects.count()) == ({}, 0)


@pytest.mark.django_db(transaction=True)
def test_an_amendment_that_overtook_its_batch_is_tried_again(orb: OrbFake) -> None:
    place = make_billed_place()
    (entry,) = charge(place)
    give_back(place, entry, MICRO)
    usage_report(console_context())
    OutboxItem.objects.filter(kind="orb.report_usage").update(next_attempt_at=clock.now() + timedelta(hours=1))
    outbox_drain(console_context())
    item = OutboxItem.objects.get(kind="orb.amend_usage")
    assert (item.status, item.last_error) == (OutboxStatus.PENDING, "Orb does not know this event yet.")
    drain_later()
    drain_later()
    assert orb.billed == expected_events(place)


# --- The switch -------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_only_what_came_after_the_switch_goes(orb: OrbFake) -> None:
    place = make_place(whole_credits=1_000)
    become_customer(place)
    charge(place, 2)
    assert tell()["entries"] == 0
    report(place)
    (after,) = charge(place)
    assert tell() == {"entries": 1, "events": 1, "reversals": 0, "batches": 1}
    report(place, is_on=False)
    charge(place)
    assert tell()["entries"] == 0
    report(place)
    (again,) = charge(place)
    assert tell()["entries"] == 1
    assert set(orb.billed) == {str(after.pk), str(again.pk)}


@pytest.mark.django_db(transaction=True)
def test_an_organization_that_is_new_is_reported_from_its_first_entry(orb: OrbFake) -> None:
    report(make_place("red"))
    later = make_place("blue", whole_credits=10)
    become_customer(later)
    report(later)
    charge(later)
    tell()
    assert orb.billed == expected_events(later) != {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["is_demo", "is_synthetic"])
def test_who_is_nobodys_customer_is_not_reported(orb: OrbFake, field: str) -> None:
    place = make_billed_place()
    charge(place)
    with pgtrigger.ignore("tenants.Organization:organization_nature_is_fixed"):
        Organization.objects.filter(pk=place.organization.pk).update(**{field: True})
    assert tell()["entries"] == 0
    assert orb.requests == []


@pytest.mark.django_db(transaction=True)
def test_the_switch_is_audited_and_others_may_not_press_it() -> None:
    place = make_place()

    def press(context: ExecutionContext, reason: str = "x") -> None:
        product_id = ProductId(place.product.pk)
        usage_reporting_change(context, product_id=product_id, is_on=True, includes_unpriced=False, reason=reason)

    admin = staff_context(Role.PLATFORM_ADMIN)
    refuse(ForbiddenError, lambda: press(product_context(place.product)))
    refuse(ForbiddenError, lambda: press(staff_context(Role.BILLING_OPERATIONS)))
    refuse(UnprocessableError, lambda: press(admin, " "))
    assert not UsageReporting.objects.exists()
    report(place)
    report(place)
    assert AuditEntry.objects.filter(event="product.usage_reporting_changed").count() == 1
