"""Reconciliation of many members in constant memory, and with workers that are killed anywhere (spec 02, 11)."""

from __future__ import annotations

import json
import tracemalloc
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from pytest_django.fixtures import Settings

from apps.core.failpoints import Failpoint
from apps.core.ids import ProductId, ReconciliationRunId
from apps.tenants.models import Membership, MembershipDrift, Product, ReconciliationRun, ReportedMember
from apps.tenants.reconciliation import engine
from apps.tenants.reconciliation.engine import RUNS, reconciliation_run_execute
from apps.tenants.services import reconciliation_request
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.core.threads import at_once
from tests.factories.tenants import make_product
from tests.sizes import size
from tests.subscriptions.cast import chance_of
from tests.tenants.reconciliation.exports import Export, Row, connect, in_order, insert_members, row, served

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
ORGANIZATIONS, EACH = size(small=(6, 50), full=(200, 1_000))
KILLS = size(small=6, full=100)
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


def spoil(rows: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """The product's rows with every class planted among them; how often each."""
    spoiled = [dict(each) for each in rows]
    gone = [spoiled.pop(place) for place in (200, 77, 3)]
    for place in (10, 111, len(spoiled) - 1):
        spoiled[place]["role"] = "admin"
    spoiled[50]["role"] = "owner"
    organization = uuid.UUID(rows[20]["organization_id"])
    strangers = [row(organization, uuid.uuid4()) for _ in range(4)]
    nowhere = [row(uuid.uuid4(), uuid.UUID(rows[0]["user_id"])) for _ in range(5)]
    planted = {
        "missing_there": len(gone),
        "role_differs": 3,
        "owner_reported": 1,
        "unknown_user": len(strangers),
        "unknown_organization": len(nowhere),
    }
    return in_order([*spoiled, *strangers, *nowhere]), planted


def asked(product: Product) -> ReconciliationRunId:
    return ReconciliationRunId(reconciliation_request(console_context(), product_id=ProductId(product.pk)).pk)


def remove_some(rows: list[Row]) -> None:
    """Take away nine members here whom the product reports as they were, so that they have to be imported."""
    for each in rows[30:39]:
        Membership.objects.get(organization=each["organization_id"], user=each["user_id"]).delete()


def picture() -> tuple[str, str, str]:
    drift = MembershipDrift.objects.order_by("organization_id", "user_id", "drift_class")
    members = Membership.objects.order_by("organization_id", "user_id")
    run = ReconciliationRun.objects.latest("created_at")
    return (
        str(list(drift.values_list("organization_id", "user_id", "drift_class", "reported", "our_role"))),
        str(list(members.values_list("organization_id", "user_id", "role"))),
        json.dumps([run.status, run.counts, run.received, run.pages], sort_keys=True),
    )


@pytest.mark.prove("P12 drift among many members is found in constant memory", size=ORGANIZATIONS * EACH)
def test_every_planted_difference_is_found_in_constant_memory(export: Export) -> None:
    red = make_product("red")
    connect(red, export)
    export.rows, planted = spoil(insert_members(red, ORGANIZATIONS, EACH))
    run_id = asked(red)
    tracemalloc.start()
    run = reconciliation_run_execute(console_context(), run_id)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run is not None
    assert run.status == "succeeded", run.error
    assert {name: run.counts.get(name) for name in planted} == planted
    assert run.counts["members"] == len(export.rows)
    assert run.counts["open_drift"] == sum(planted.values()) == MembershipDrift.objects.count()
    assert Membership.objects.count() == ORGANIZATIONS * EACH
    assert not ReportedMember.objects.exists()
    assert peak < MOST_BYTES, f"{peak:,} bytes"


def test_killed_anywhere_the_end_is_the_same(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW", 40)
    red = make_product("red")
    connect(red, export)
    rows = insert_members(red, 6, 50)
    export.rows, _ = spoil(rows)
    remove_some(rows)
    lost = list(Membership.objects.values_list("pk", flat=True))
    chance = chance_of(15)
    run_id = asked(red)
    for place in PLACES:
        assert dies_at(place, partial(reconciliation_run_execute, console_context(), run_id)), place
    for _ in range(KILLS):
        process = started(partial(reconciliation_run_execute, console_context(), run_id))
        process.join(chance.uniform(0.02, 0.3))
        kill(process)
    reconciliation_run_execute(console_context(), run_id)
    killed = picture()
    run = ReconciliationRun.objects.get(pk=run_id)
    assert (run.status, run.counts["imported"]) == ("succeeded", 9)
    # The same from the same beginning, by a worker that nobody kills.
    Membership.objects.exclude(pk__in=lost).delete()
    MembershipDrift.objects.all().delete()
    ReconciliationRun.objects.all().delete()
    reconciliation_run_execute(console_context(), asked(red))
    assert picture() == killed


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
