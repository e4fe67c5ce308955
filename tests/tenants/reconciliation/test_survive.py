"""Reconciliation of many members in constant memory, and with workers that are killed anywhere (spec 02, 11)."""

from __future__ import annotations

import json
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from random import Random

import pytest
from pytest_django.fixtures import Settings

from apps.core.failpoints import Failpoint
from apps.core.ids import OrganizationId, ProductId, ReconciliationRunId, UserId
from apps.tenants.enums import DriftClass
from apps.tenants.models import (
    Membership,
    MembershipDrift,
    Product,
    ReconciliationRun,
    ReportedMember,
    SnapshotChunk,
    User,
)
from apps.tenants.reconciliation import engine
from apps.tenants.reconciliation.engine import RUNS, reconciliation_run_execute
from apps.tenants.services import member_remove, reconciliation_request
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.core.threads import at_once
from tests.factories.tenants import make_organization, make_product, make_token
from tests.sizes import size
from tests.subscriptions.cast import chance_of
from tests.tenants.reconciliation.exports import Export, Row, connect, in_order, insert_members, row, served
from tests.tenants.reconciliation.pusher import Pusher

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
Planted = dict[DriftClass, set[tuple[uuid.UUID, uuid.UUID]]]
ORGANIZATIONS, EACH = size(small=(6, 50), full=(200, 1_000))
LIVES, KILLS = size(small=(1, 6), full=(40, 10))
# Far above what windows of 1,000 rows take, and far below what the members of the proof would.
MOST_BYTES = 48 * 1024 * 1024
PLACES: tuple[Failpoint, ...] = (
    "reconciliation.after_claim",
    "reconciliation.after_fetch",
    "reconciliation.before_commit",
    "reconciliation.after_step",
)


@pytest.fixture
def export(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Export]:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    # A dead worker's run can be taken over at once.
    monkeypatch.setattr(engine, "RUNS", replace(RUNS, lease=timedelta(0), beat=timedelta(minutes=1)))
    with served(Export(page_size=size(small=100, full=5_000))) as made:
        yield made


def spoil(rows: list[Row]) -> tuple[list[Row], Planted]:
    """The product's rows with every class planted among them, from the first to the last; whom each is about."""
    places = [*range(0, len(rows), len(rows) // 50)]
    dealt = iter([rows[-1], *(rows[place] for place in places)])
    gone, promoted, owners, missing, removed, twins = (list(islice(dealt, count)) for count in (4, 5, 3, 9, 4, 3))
    for each in promoted:
        each["role"] = "admin"
    for each in owners:
        each["role"] = "owner"
    for each in missing:
        Membership.objects.get(organization=each["organization_id"], user=each["user_id"]).delete()
    for each in removed:
        organization_id, user_id = key_of(each)
        member_remove(console_context(), organization_id=OrganizationId(organization_id), user_id=UserId(user_id))
    for each in twins:
        each["email"] = User.objects.exclude(pk=each["user_id"]).values_list("email", flat=True)[0].upper()
    known, unrelated = key_of(rows[20]), make_organization("Unrelated")
    strangers = [row(known[0], uuid.uuid4()) for _ in range(4)]
    nowhere = [row(uuid.uuid4(), known[1]) for _ in range(5)]
    elsewhere = [row(unrelated, key_of(each)[1]) for each in rows[:2]]
    planted = {
        "missing_here": missing,
        "missing_there": gone,
        "role_differs": promoted,
        "owner_reported": owners,
        "removed_here": removed,
        "not_related": elsewhere,
        "unknown_user": strangers,
        "unknown_organization": nowhere,
        "duplicate_identity": twins,
    }
    left = {key_of(each) for each in gone}
    kept = [each for each in rows if key_of(each) not in left]
    return in_order([*kept, *strangers, *nowhere, *elsewhere]), {
        DriftClass(name): {key_of(each) for each in each_of} for name, each_of in planted.items()
    }


def key_of(reported: Row) -> tuple[uuid.UUID, uuid.UUID]:
    return uuid.UUID(reported["organization_id"]), uuid.UUID(reported["user_id"])


def asked(product: Product) -> ReconciliationRunId:
    return ReconciliationRunId(reconciliation_request(console_context(), product_id=ProductId(product.pk)).pk)


def picture() -> tuple[str, str, str]:
    drift = MembershipDrift.objects.order_by("organization_id", "user_id", "drift_class")
    members = Membership.objects.order_by("organization_id", "user_id")
    run = ReconciliationRun.objects.latest("created_at")
    return (
        str(list(drift.values_list("organization_id", "user_id", "drift_class", "reported", "our_role"))),
        str(list(members.values_list("organization_id", "user_id", "role"))),
        json.dumps([run.status, run.counts, run.received, run.pages], sort_keys=True),
    )


@pytest.mark.prove("P12 each class of drift is found among many members in constant memory", size=ORGANIZATIONS * EACH)
def test_every_planted_difference_is_found_in_constant_memory(
    export: Export, record_property: Callable[[str, object], None]
) -> None:
    red = make_product("red")
    connect(red, export)
    export.rows, planted = spoil(insert_members(red, ORGANIZATIONS, EACH))
    assert set(planted) == set(DriftClass)
    missing = planted.pop(DriftClass.MISSING_HERE)
    run_id = asked(red)
    began = time.monotonic()
    tracemalloc.start()
    run = reconciliation_run_execute(console_context(), run_id)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # To trace each allocation takes several times as long as the run itself.
    seconds = time.monotonic() - began
    record_property("measured", f"reconciled in {seconds:.1f} s with its memory traced, peak {peak / 2**20:.1f} MiB")
    assert run is not None
    assert run.status == "succeeded", run.error
    # Each is found, of whom it is about, and nobody else.
    found: dict[str, set[tuple[uuid.UUID, uuid.UUID]]] = {}
    for organization_id, user_id, name in MembershipDrift.objects.values_list(
        "organization_id", "user_id", "drift_class"
    ):
        found.setdefault(name, set()).add((organization_id, user_id))
    assert found == planted
    differing = {str(name): len(keys) for name, keys in planted.items()}
    agreed = len(export.rows) - len(missing) - sum(differing.values()) + differing["missing_there"]
    counts = {"members": len(export.rows), "agreed": agreed, "imported": len(missing)}
    assert run.counts == {**counts, **differing, "open_drift": sum(differing.values())}
    # Whom we lacked is here now, and nothing else has changed.
    here = set(
        Membership.objects.filter(user__in={key[1] for key in missing}).values_list("organization_id", "user_id")
    )
    assert missing <= here
    assert Membership.objects.count() == ORGANIZATIONS * EACH - len(planted[DriftClass.REMOVED_HERE])
    assert not Membership.objects.exclude(role="member").exists()
    assert not ReportedMember.objects.exists()
    assert peak < MOST_BYTES, f"{peak:,} bytes"


@dataclass
class Lives:
    """The same members again and again: whatever is killed on the way, each life ends like an undisturbed one."""

    product: Product
    rows: list[Row]
    begun_with: list[uuid.UUID]

    def begin(self) -> None:
        """As it was before the first run."""
        Membership.objects.exclude(pk__in=self.begun_with).delete()
        for model in (MembershipDrift, ReportedMember, SnapshotChunk, ReconciliationRun):
            model.objects.all().delete()

    def disturb(self, work: Callable[[], object], chance: Random) -> int:
        """Kill workers at random moments, one after the other; how many were at work."""
        hits = 0
        for _ in range(KILLS):
            process = started(work)
            process.join(chance.uniform(0.02, 0.3))
            hits += kill(process)
        return hits


@pytest.fixture
def lives(export: Export, monkeypatch: pytest.MonkeyPatch) -> Lives:
    monkeypatch.setattr(engine, "WINDOW", 40)
    red = make_product("red")
    connect(red, export)
    export.rows, _ = spoil(insert_members(red, 6, 50))
    return Lives(red, export.rows, list(Membership.objects.values_list("pk", flat=True)))


@pytest.mark.prove("P12 a reconciliation killed anywhere ends the same", size=LIVES * KILLS)
def test_killed_anywhere_the_end_is_the_same(lives: Lives, record_property: Callable[[str, object], None]) -> None:
    reconciliation_run_execute(console_context(), asked(lives.product))
    undisturbed = picture()
    run = ReconciliationRun.objects.get()
    assert (run.status, run.counts["imported"]) == ("succeeded", 9)
    chance, hits = chance_of(15), 0
    for _ in range(LIVES):
        lives.begin()
        work = partial(reconciliation_run_execute, console_context(), asked(lives.product))
        for place in PLACES:
            assert dies_at(place, work), place
        hits += lives.disturb(work, chance)
        work()
        assert picture() == undisturbed
    assert hits
    record_property("measured", f"{hits} killed at work")


@pytest.mark.prove("P12 a snapshot killed anywhere while it is pushed or read ends the same", size=LIVES * KILLS)
def test_a_snapshot_killed_anywhere_ends_the_same(lives: Lives, record_property: Callable[[str, object], None]) -> None:
    pusher = Pusher(lives.product, make_token(lives.product), str(uuid.uuid4()))
    rows = [{name: value for name, value in each.items() if name != "email"} for each in lives.rows]
    chunks = [rows[begin : begin + 30] for begin in range(0, len(rows), 30)]

    def push_and_run() -> None:
        """What a product does that knows only that it has no answer: all of it again."""
        for sequence, chunk in enumerate(chunks, start=1):
            answer = pusher.push(sequence, chunk, last=sequence == len(chunks))
            assert answer.status_code in {200, 201, 202}, answer.content
        pusher.run()

    push_and_run()
    undisturbed = picture()
    assert ReconciliationRun.objects.get().status == "succeeded"
    chance, hits = chance_of(16), 0
    for _ in range(LIVES):
        lives.begin()
        hits += lives.disturb(push_and_run, chance)
        push_and_run()
        assert picture() == undisturbed
        assert SnapshotChunk.objects.count() == len(chunks)
    assert hits
    record_property("measured", f"{hits} killed at work")


def test_of_many_workers_one_has_the_run(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RUNS", RUNS)
    red = make_product("red")
    connect(red, export)
    export.rows = insert_members(red, 2, 60)
    run_id = asked(red)
    done = at_once(6, lambda _: reconciliation_run_execute(console_context(), run_id))
    errors = [outcome for outcome in done if isinstance(outcome, Exception)]
    assert errors == []
    assert sum(outcome is not None for outcome in done) == 1
    assert ReconciliationRun.objects.get().counts == {"members": 120, "agreed": 120, "open_drift": 0}
