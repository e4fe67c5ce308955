"""Workers killed at any moment, answers lost: Orb has each charge once, as the ledger has it (spec 04; spec 11, P3)."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.canonical import moment_text
from apps.core.enums import Role
from apps.core.failpoints import Failpoint
from apps.core.ids import ProductId
from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume, entry_reverse
from apps.payments.models import UsageFault
from apps.payments.rules import usage as usage_rules
from apps.payments.services import usage_backfill, usage_delivery, usage_report
from apps.payments.services.usage_backfill import BACKFILL_KIND
from tests.contexts import console_context, staff_context
from tests.core.processes import dies_at, kill, started
from tests.counterparts.orb_fake import OrbFake
from tests.credits.cast import Place, consumption, make_place
from tests.payments.usage_cast import become_customer, charge, expected_events, make_billed_place, report
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.prove]

KILLS = size(small=6, full=200)
SEED = 11
OPEN = (OutboxStatus.PENDING, OutboxStatus.IN_PROGRESS)
PLACES: tuple[Failpoint, ...] = (
    "outbox.after_claim",
    "outbox.after_deliver",
    "outbox.before_finish_commit",
    "outbox.after_finish",
)


def use(place: Place, chance: random.Random, times: int) -> None:
    """Charges, and some of all charges given back in part or whole."""
    for _ in range(times):
        credits_consume(place.context, consumption=consumption(place, operation="unit"))
    charges = list(CreditEntry.objects.filter(account_id=place.organization.pk, kind="consumption"))
    for entry in chance.sample(charges, min(3, len(charges))):
        left = -entry.amount - sum(CreditEntry.objects.filter(reversal_of=entry).values_list("amount", flat=True))
        if left:
            amount = chance.choice([left, min(left, MICRO // 4)])
            entry_reverse(place.context, key=uuid.uuid4().hex, entry_id=entry.pk, reason="It failed.", amount=amount)


def work() -> None:
    """A firing, and its calls; a lease that ended with its worker is over at once."""
    usage_report(console_context())
    outbox_drain(console_context(), lease=timedelta(milliseconds=1))


def make_due() -> bool:
    """Whether calls are open; those that wait are due now, with all their tries."""
    kinds = OutboxItem.objects.filter(kind__in=["orb.report_usage", "orb.amend_usage"], status__in=OPEN)
    kinds.filter(status=OutboxStatus.PENDING).update(next_attempt_at=clock.now())
    kinds.update(attempts=0)
    return kinds.exists()


def finish() -> None:
    for _ in range(50):
        work()
        if not make_due():
            return
    raise AssertionError("some calls stay open")


def wrongs(orb: OrbFake, places: list[Place]) -> list[str]:
    """What Orb has otherwise than the ledger, or took twice."""
    expected = {key: event for place in places for key, event in expected_events(place).items()}
    twice = [f"twice: {key}" for key, times in orb.taken.items() if times != 1]
    wrong = [f"differs: {key}" for key in {*expected, *orb.billed} if expected.get(key) != orb.billed.get(key)]
    return twice + wrong


@pytest.mark.parametrize("place_name", PLACES)
def test_killed_at_each_named_place_each_charge_is_told_once(orb: OrbFake, place_name: Failpoint) -> None:
    place = make_billed_place()
    use(place, random.Random(SEED), 5)  # noqa: S311 - it need not be secret, it must repeat
    assert dies_at(place_name, work)
    finish()
    assert wrongs(orb, [place]) == []
    assert UsageFault.objects.count() == 0


def test_killed_at_random_points_each_charge_is_told_once(orb: OrbFake, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small batches, so that there are many calls to be killed in.
    monkeypatch.setattr(usage_rules.pack, "__kwdefaults__", {"most": 4})
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    places = [make_billed_place(slug) for slug in ("red", "blue", "green")]
    for _ in range(KILLS):
        for place in places:
            use(place, chance, chance.randrange(1, 5))
        make_due()
        orb.faults = chance.choices(["", "drop", "500"], weights=[8, 1, 1], k=20)
        process = started(work)
        process.join(chance.uniform(0.02, 0.6))
        kill(process)
    orb.faults = []
    finish()
    assert wrongs(orb, places) == []
    assert UsageFault.objects.count() == 0
    print(f"usage to Orb: {KILLS} kills, seed {SEED}, {len(orb.taken)} charges, each told once")


def fill(orb: OrbFake, chance: random.Random) -> list[Place]:
    """Places charged in the weeks before their switch, whose backfills are asked for and not yet carried out."""
    now, places = clock.now(), []
    orb.takes_since = moment_text(now - timedelta(days=2))
    for slug in ("red", "blue"):
        place = make_place(slug, whole_credits=10_000)
        become_customer(place)
        for days in (3, 20, 34):
            charge(place, chance.randrange(1, 12), occurred_at=now - timedelta(days=days))
        report(place)
        usage_backfill(
            staff_context(Role.PLATFORM_ADMIN),
            product_id=ProductId(place.product.pk),
            since=now - timedelta(days=90),
            reason="Orb prices the summer too.",
            is_dry_run=False,
        )
        places.append(place)
        # A month has one backfill at Orb at a time: the second product's comes when the first one's is reflected.
        finish_backfill(orb, chance)
    return places


def finish_backfill(orb: OrbFake, chance: random.Random) -> None:
    """Kill the worker again and again until nothing of the backfill is open; Orb then counts it."""
    for _ in range(KILLS):
        orb.faults = chance.choices(["", "drop", "500"], weights=[8, 1, 1], k=20)
        process = started(work)
        process.join(chance.uniform(0.02, 0.6))
        kill(process)
        if not make_due() and not OutboxItem.objects.filter(kind=BACKFILL_KIND, status__in=OPEN).exists():
            break
    orb.faults = []
    for _ in range(50):
        work()
        OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at=clock.now(), attempts=0)
        if not OutboxItem.objects.filter(status__in=OPEN).exists():
            break
    orb.closed.update(orb.backfills)


def test_a_backfill_killed_at_random_points_tells_each_charge_once(
    orb: OrbFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_rules.pack, "__kwdefaults__", {"most": 2})
    places = fill(orb, random.Random(SEED))  # noqa: S311 - it need not be secret, it must repeat
    finish()
    assert wrongs(orb, places) == []
    assert len(orb.backfills) <= 2 * 4
    assert UsageFault.objects.count() == 0


def test_keys_that_are_made_at_the_call_are_caught(orb: OrbFake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a key of its own for each try."""

    def ingested(usage: usage_rules.Usage, rule: usage_rules.ProductRule, *, given_back: int) -> dict[str, object]:
        event = usage_rules.ingested_event(usage, rule, given_back=given_back)
        return {**event, "idempotency_key": str(uuid.uuid4())}

    monkeypatch.setattr(usage_delivery, "ingested_event", ingested)
    place = make_billed_place()
    credits_consume(place.context, consumption=consumption(place, operation="unit"))
    assert dies_at("outbox.after_deliver", work)
    finish()
    assert len(orb.billed) == 2
    assert wrongs(orb, [place])
