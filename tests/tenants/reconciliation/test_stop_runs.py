"""What stops a run or makes it fail: it has changed nothing then, and a person decides (spec 02)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import ReconciliationRunId
from apps.tenants.jobs import sweep_reconciliations
from apps.tenants.models import (
    Membership,
    ReportedMember,
)
from apps.tenants.reconciliation import engine
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services import (
    reconciliation_confirm,
    reconciliation_discard,
)
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_user
from tests.tenants.reconciliation.cast import WHY, World, members, picture
from tests.tenants.reconciliation.exports import KEY, connect, in_order, row

pytestmark = pytest.mark.django_db


def _truncate(world: World) -> None:
    world.export.total = len(world.export.rows) + 1


def _shuffle(world: World) -> None:
    world.export.rows.reverse()


def _repeat(world: World) -> None:
    world.export.rows.insert(3, dict(world.export.rows[3]))


def _overfill(world: World) -> None:
    world.export.total = len(world.export.rows) - 1


def _shrink(world: World) -> None:
    world.export.rows = world.export.rows[:8]


def _empty(world: World) -> None:
    world.export.rows = []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_truncate, "truncated"),
        (_shuffle, "unsorted"),
        (_repeat, "repeated"),
        (_overfill, "miscounted"),
        (_shrink, "shrunken"),
        (_empty, "shrunken"),
    ],
)
@pytest.mark.slow
def test_a_suspicious_export_changes_nothing_until_a_person_confirms(
    world: World, spoil: Callable[[World], None], reason: str
) -> None:
    world.export.rows = members(world, 30)
    assert world.reconcile().status == "succeeded"
    newcomer = make_user()
    world.export.rows = in_order([*world.export.rows, row(world.acme, newcomer)])
    world.export.page_size = 7
    spoil(world)
    before = picture(world.red)
    run = world.reconcile()
    assert (run.status, run.stop_reason) == ("waiting", reason)
    assert picture(world.red) == before
    # It stays so until somebody decides, whoever comes by.
    assert reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk)) is None
    confirmed = reconciliation_confirm(staff_context(), run_id=ReconciliationRunId(run.pk), reason=WHY)
    done = reconciliation_run_execute(console_context(), ReconciliationRunId(confirmed.pk))
    assert done is not None
    assert done.status == "succeeded"
    is_in_it = any(each["user_id"] == str(newcomer.pk) for each in world.export.rows)
    assert Membership.objects.filter(user=newcomer).exists() is is_in_it


def test_of_a_member_that_stands_twice_the_lesser_role_counts(world: World) -> None:
    user = make_user()
    run = world.told(row(world.acme, user, "admin"), row(world.acme, user, "viewer"))
    assert run.stop_reason == "repeated"
    reconciliation_confirm(staff_context(), run_id=ReconciliationRunId(run.pk), reason=WHY)
    reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
    assert Membership.objects.get(user=user).role == "viewer"


@pytest.mark.slow
def test_a_large_first_run_asks_and_the_second_does_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.tenants.reconciliation_rules.FIRST_RUN_AT_MOST", 4)
    world.export.rows = members(world, 5)
    run = world.reconcile()
    assert (run.status, run.stop_reason, Membership.objects.count()) == ("waiting", "first_run", 0)
    assert run.counts == {"members": 5, "imported": 5}
    # A discarded report is none.
    reconciliation_discard(staff_context(), run_id=ReconciliationRunId(run.pk), reason=WHY)
    assert world.reconcile().stop_reason == "first_run"
    world.export.rows = world.export.rows[:4]
    assert world.reconcile().status == "succeeded"
    world.export.rows = in_order([*world.export.rows, *members(world, 9)])
    assert (world.reconcile().status, Membership.objects.count()) == ("succeeded", 13)


@pytest.mark.slow
def test_a_newer_report_takes_the_place_of_one_that_waits(world: World) -> None:
    world.export.rows = members(world, 3)
    world.export.total = 4
    waiting = world.reconcile()
    world.export.total = None
    assert world.reconcile().status == "succeeded"
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error) == ("discarded", "A newer report took its place.")
    with pytest.raises(ConflictError):
        reconciliation_confirm(staff_context(), run_id=ReconciliationRunId(waiting.pk), reason=WHY)
    sweep_reconciliations(console_context(), slot=clock.now(), organization_id=None, include_demo=False)
    assert not ReportedMember.objects.exists()


BAD_PAGES = {
    "no JSON": b"<html>",
    "no object": b"[]",
    "no members": b'{"total": 0}',
    "no total": b'{"members": []}',
    "a total that is none": b'{"members": [], "total": -1}',
    "a cursor that is none": b'{"members": [], "total": 0, "next_cursor": 7}',
    "an unknown role": json.dumps({"members": [row(uuid.uuid4(), uuid.uuid4(), "boss")], "total": 1}).encode(),
    "no UUID": b'{"members": [{"organization_id": "acme", "user_id": "ada", "role": "member"}], "total": 1}',
    "no time": json.dumps({"members": [row(uuid.uuid4(), uuid.uuid4(), changed_at="yesterday")], "total": 1}).encode(),
    "an empty page with a next one": b'{"members": [], "total": 9, "next_cursor": "3"}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("what", list(BAD_PAGES))
@pytest.mark.slow
def test_a_page_that_cannot_be_read_fails_the_run_and_says_where(world: World, what: str) -> None:
    world.export.rows, world.export.page_size = members(world, 4), 2
    world.export.bodies[2] = BAD_PAGES[what]
    before = picture(world.red)
    run = world.reconcile()
    assert run.status == "failed"
    assert run.error.startswith("Page 2")
    assert KEY not in run.error
    assert picture(world.red) == before
    assert not ReportedMember.objects.exists()


def test_a_page_that_names_itself_ends_the_run(world: World) -> None:
    body = {"members": members(world, 1), "next_cursor": "2", "total": 3}
    world.export.bodies = {1: json.dumps(body).encode(), 2: json.dumps(body).encode()}
    assert (world.reconcile().error, Membership.objects.count()) == ("Page 2 names itself as the next one.", 0)


@pytest.mark.slow
def test_an_error_half_way_is_tried_again_from_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_FIRST_DELAY", timedelta(0))
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    world.export.rows, world.export.page_size = members(world, 6), 2
    world.export.fails[2] = [500]
    run = world.reconcile()
    assert (run.status, run.pages, run.error) == ("queued", 1, "Page 2: the product answered 500.")
    assert Membership.objects.count() == 0
    done = reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
    assert done is not None
    assert (done.status, done.counts["imported"], done.failures) == ("succeeded", 6, 0)
    assert [cursor for cursor, _ in world.export.asked] == ["", "2", "2", "3"]


@pytest.mark.slow
def test_an_export_that_stays_broken_fails_and_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_FIRST_DELAY", timedelta(0))
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    world.export.rows, world.export.page_size = members(world, 6), 2
    world.export.fails[2] = [500] * 99
    run = world.reconcile()
    for _ in range(engine.MAX_FAILURES - 1):
        run = reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk)) or run
    assert (run.status, run.failures, Membership.objects.count()) == ("failed", engine.MAX_FAILURES, 0)


def test_a_wrong_key_is_said_and_not_tried_again(world: World) -> None:
    connect(world.red, world.export, key="another-key")
    run = world.reconcile()
    assert (run.status, run.error) == ("failed", "Page 1: the product answered 401; check the key on its page.")


def test_the_export_is_asked_through_the_guard(world: World, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWLIST = []
    run = world.reconcile()
    assert run.status == "failed"
    assert "may not be called" in run.error
    assert world.export.asked == []


def test_a_decision_about_a_run_needs_a_reason(world: World) -> None:
    world.export.rows = members(world, 30)
    _truncate(world)
    run = world.reconcile()
    before = picture(world.red)
    for decide in (reconciliation_confirm, reconciliation_discard):
        with pytest.raises(UnprocessableError) as refusal:
            decide(staff_context(), run_id=ReconciliationRunId(run.pk), reason=" ")
        assert [(error.field, error.code) for error in refusal.value.errors] == [("reason", "blank")]
    run.refresh_from_db()
    assert (run.status, picture(world.red)) == ("waiting", before)
