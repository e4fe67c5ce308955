"""Usage that was recorded before the switch goes to Orb afterwards (spec 04, Usage to Orb)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.canonical import moment_text
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.payments.models import UsageFault, UsagePeriod
from apps.payments.services import usage_backfill
from apps.payments.services.usage_backfill import Backfill
from tests.contexts import console_context, product_context, staff_context
from tests.counterparts.orb_fake import OrbFake
from tests.credits.cast import Place, make_place
from tests.payments.usage_cast import (
    become_customer,
    charge,
    drain_later,
    expected_events,
    give_back,
    refuse,
    report,
    tell,
)

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def place(orb: OrbFake) -> Place:
    """Charged in two months before the switch, and Orb takes nothing of them outside of a backfill."""
    made = make_place("red", whole_credits=1_000)
    become_customer(made)
    now = clock.now()
    charge(made, 2, occurred_at=now - timedelta(days=3))
    charge(made, 2, occurred_at=now - timedelta(days=34))
    orb.takes_since = moment_text(now - timedelta(days=2))
    return made


def backfill(
    place: Place,
    since: datetime = LONG_AGO,
    *,
    context: ExecutionContext | None = None,
    reason: str = "Orb prices July too.",
    is_dry_run: bool = False,
) -> Backfill:
    return usage_backfill(
        context or staff_context(Role.PLATFORM_ADMIN),
        product_id=ProductId(place.product.pk),
        since=since,
        reason=reason,
        is_dry_run=is_dry_run,
    )


def test_each_earlier_charge_goes_once_within_a_backfill_of_its_month(orb: OrbFake, place: Place) -> None:
    report(place)
    charge(place)
    tell()
    assert len(orb.billed) == 1
    done = backfill(place)
    assert sum(charges for _, charges in done.months) == 4
    drain_later()
    drain_later()
    assert orb.billed == expected_events(place)
    assert len(orb.billed) == 5
    assert set(orb.taken.values()) == {1}
    assert len(orb.backfills) == len(done.months) >= 2
    assert not UsageFault.objects.exists()
    # It was told of all of it now.
    refuse(ConflictError, lambda: backfill(place))


def test_a_dry_run_says_the_same_and_changes_nothing(orb: OrbFake, place: Place) -> None:
    report(place)
    periods, items = UsagePeriod.objects.count(), OutboxItem.objects.count()
    planned = backfill(place, is_dry_run=True)
    assert (UsagePeriod.objects.count(), OutboxItem.objects.count()) == (periods, items)
    assert orb.requests == []
    assert backfill(place).months == planned.months


def test_what_was_given_back_meanwhile_is_left_out_and_later_reversals_amend(orb: OrbFake, place: Place) -> None:
    part, whole, late = charge(place, 3)
    give_back(place, part, MICRO)
    give_back(place, whole)
    report(place)
    backfill(place)
    drain_later()
    drain_later()
    assert orb.billed == expected_events(place)
    assert str(whole.pk) not in orb.events
    # Without the period of the backfill this reversal would be of a charge that Orb never heard of.
    give_back(place, late, MICRO)
    assert tell()["reversals"] == 1
    assert orb.billed == expected_events(place)
    drain_later()
    assert not UsageFault.objects.exists()


def test_a_switch_that_was_off_for_a_while_leaves_a_gap_that_is_filled(orb: OrbFake, place: Place) -> None:
    report(place)
    charge(place)
    tell()
    report(place, is_on=False)
    charge(place, 2)
    report(place)
    charge(place)
    tell()
    assert len(orb.billed) == 2
    done = backfill(place)
    assert len(done.recorded) == 2
    drain_later()
    drain_later()
    assert orb.billed == expected_events(place)
    assert set(orb.taken.values()) == {1}


@pytest.mark.slow
def test_a_call_that_is_repeated_takes_the_backfill_that_it_opened(orb: OrbFake, place: Place) -> None:
    report(place)
    backfill(place)
    orb.faults = ["drop"]
    outbox_drain(console_context())
    for _ in range(3):
        drain_later()
    assert orb.billed == expected_events(place)
    assert set(orb.taken.values()) == {1}


def test_a_time_that_another_backfill_covers_waits_for_a_person_and_says_why(orb: OrbFake, place: Place) -> None:
    report(place)
    backfill(place)
    orb.backfills["bf_theirs"] = ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
    drain_later()
    items = OutboxItem.objects.filter(kind="orb.open_backfill")
    assert {item.status for item in items} == {OutboxStatus.PARKED}
    assert {item.last_error for item in items} == {"Orb answered 400: Overlaps another backfill"}
    orb.closed.add("bf_theirs")
    items.update(status=OutboxStatus.PENDING, finished_at=None)
    drain_later()
    drain_later()
    assert orb.billed == expected_events(place)


def test_it_is_refused_while_nothing_is_reported_and_to_others(place: Place) -> None:
    refuse(NotFoundError, lambda: backfill(place))
    report(place)
    refuse(UnprocessableError, lambda: backfill(place, reason=" "))
    refuse(ForbiddenError, lambda: backfill(place, context=product_context(place.product)))
    refuse(ForbiddenError, lambda: backfill(place, context=staff_context(Role.BILLING_OPERATIONS)))
    refuse(ConflictError, lambda: backfill(place, since=clock.now()))
    report(place, is_on=False)
    refuse(ConflictError, lambda: backfill(place))


def test_the_command_says_what_goes(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    report(place)
    for day in ("soon", "2026-13-01", "0001-01-01"):
        with pytest.raises(CommandError, match="Write a day such as"):
            call_command("backfill_usage", product="red", since=day)
    with pytest.raises(CommandError, match="no product 'rad'"):
        call_command("backfill_usage", product="rad", since="2026-01-01")
    call_command("backfill_usage", product="red", since="2026-01-01", dry_run=True)
    assert "A dry run: 4 charges would be sent." in capsys.readouterr().out
    call_command("backfill_usage", product="red", since="2026-01-01", reason="A new plan at Orb.")
    assert "4 charges are in the outbox." in capsys.readouterr().out
    assert AuditEntry.objects.get(event="product.usage_backfilled").reason == "A new plan at Orb."
