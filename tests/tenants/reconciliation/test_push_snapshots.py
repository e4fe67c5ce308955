"""Snapshots that a product pushes: chunks in any order, again, missing, contradicting, of two products (spec 09)."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.tenants.jobs import sweep_reconciliations
from apps.tenants.models import Membership, Organization, ReconciliationRun, ReportedMember, User
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_user
from tests.tenants.reconciliation.exports import Row, row
from tests.tenants.reconciliation.pusher import URL, Pusher, pusher_of


@dataclass(frozen=True)
class Stage:
    red: Pusher
    blue: Pusher
    acme: Organization
    people: tuple[User, ...]

    def rows(self, *places: int) -> list[Row]:
        return [row(self.acme, self.people[place]) for place in places]


@pytest.fixture(scope="module")
def stage(lasting_db: None) -> Stage:
    acme = make_organization("Acme")
    people = tuple(make_user() for _ in range(6))
    return Stage(pusher_of("red", acme), pusher_of("blue", acme), acme, people)


def members() -> int:
    return Membership.objects.count()


@pytest.mark.slow
def test_chunks_in_every_order_make_the_same(stage: Stage, db: None) -> None:
    chunks = {1: stage.rows(4, 5), 2: stage.rows(0, 1), 3: stage.rows(2, 3)}
    for order in itertools.permutations(chunks):
        pusher = Pusher(stage.red.product, stage.red.token, str(uuid.uuid4()))
        for place, sequence in enumerate(order):
            answer = pusher.push(sequence, chunks[sequence], last=sequence == 3)
            assert answer.status_code == 202, answer.content
            assert answer.json()["received"] == 2 * (place + 1)
            assert answer.json()["status"] == ("queued" if place == 2 else "receiving")
        assert pusher.run().counts["members"] == 6
        assert pusher.state().json()["status"] == "succeeded"
    assert members() == 6


def test_the_same_chunk_again_changes_nothing_and_another_one_is_refused(stage: Stage, db: None) -> None:
    assert stage.red.push(1, stage.rows(0, 1)).status_code == 202
    assert stage.red.push(1, stage.rows(0, 1)).json()["received"] == 2
    for other in (
        stage.red.push(1, stage.rows(0)),
        stage.red.push(1, stage.rows(1, 0)),
        stage.red.push(1, stage.rows(0, 1), last=True),
        stage.red.push(1, [row(stage.acme, stage.people[0], "admin"), *stage.rows(1)]),
    ):
        assert (other.status_code, other.json()["code"]) == (409, "snapshot_chunk_differs")
    assert ReportedMember.objects.count() == 2
    stage.red.push(2, [], last=True)
    assert stage.red.run().counts["imported"] == 2
    # Also after the end the same is answered the same, and nothing new is taken.
    assert stage.red.push(1, stage.rows(0, 1)).json()["status"] == "succeeded"
    closed = stage.red.push(3, stage.rows(2))
    assert (closed.status_code, closed.json()["code"], members()) == (409, "snapshot_closed", 2)


def test_numbers_that_contradict_each_other_are_refused(stage: Stage, db: None) -> None:
    assert stage.red.push(3, stage.rows(0), last=True).status_code == 202
    for sequence, last in ((4, False), (4, True), (2, True)):
        refused = stage.red.push(sequence, stage.rows(1), last=last)
        assert (refused.status_code, refused.json()["code"]) == (409, "snapshot_sequence_conflict")
    other = Pusher(stage.red.product, stage.red.token, str(uuid.uuid4()))
    other.push(3, stage.rows(0))
    assert other.push(2, stage.rows(1), last=True).json()["code"] == "snapshot_sequence_conflict"
    assert stage.red.state().json()["missing"] == [1, 2]


def test_without_all_chunks_nothing_happens_and_after_a_day_it_is_aborted(stage: Stage, db: None) -> None:
    stage.red.push(1, stage.rows(0))
    stage.red.push(3, stage.rows(2), last=True)
    assert stage.red.run().status == "receiving"
    job: dict[str, Any] = {"slot": clock.now(), "organization_id": None, "include_demo": False}
    assert sweep_reconciliations(console_context(), **job)["aborted_snapshots"] == 0
    ReconciliationRun.objects.update(created_at=clock.now() - timedelta(hours=24))
    assert stage.red.push(2, stage.rows(1)).json()["code"] == "snapshot_closed"
    assert sweep_reconciliations(console_context(), **job)["aborted_snapshots"] == 1
    answer = stage.red.state().json()
    assert (answer["status"], answer["missing"], members()) == ("aborted", [], 0)
    assert not ReportedMember.objects.exists()


def test_two_products_may_choose_the_same_id(stage: Stage, db: None) -> None:
    blue = Pusher(stage.blue.product, stage.blue.token, stage.red.snapshot_id)
    stage.red.push(1, stage.rows(0, 1))
    assert blue.push(1, stage.rows(2), last=True).status_code == 202
    assert stage.red.push(2, stage.rows(3), last=True).status_code == 202
    assert (blue.run().counts["imported"], stage.red.run().counts["imported"]) == (1, 3)
    origins = Membership.objects.order_by().values_list("origin_product__slug", flat=True)
    assert sorted(origin or "" for origin in origins) == ["blue", "red", "red", "red"]
    # A snapshot is its product's own.
    assert stage.blue.state(str(uuid.uuid4())).json()["code"] == "unknown_snapshot"


def test_a_member_in_two_chunks_stops_the_run(stage: Stage, db: None) -> None:
    stage.red.push(1, stage.rows(0))
    stage.red.push(2, stage.rows(0), last=True)
    assert (stage.red.run().stop_reason, members()) == ("repeated", 0)
    assert stage.red.state().json()["stop_reason"] == "repeated"


BAD: dict[str, tuple[dict[str, Any], int]] = {
    "no sequence": ({"sequence": 0}, 422),
    "a sequence that is none": ({"sequence": "1"}, 400),
    "too many members": ({"members": [{}] * 5_001}, 422),
    "an unknown role": ({"members": [row(uuid.uuid4(), uuid.uuid4(), "boss")]}, 400),
    "a time ahead": ({"members": [row(uuid.uuid4(), uuid.uuid4(), changed_at="2150-01-01T00:00:00Z")]}, 422),
    "an unknown field": ({"final": True}, 400),
}


@pytest.mark.parametrize("what", list(BAD))
def test_a_wrong_body_is_refused_and_stores_nothing(stage: Stage, db: None, what: str) -> None:
    differing, status = BAD[what]
    body = {"snapshot_id": stage.red.snapshot_id, "sequence": 1, "last": False, "members": [], **differing}
    answer = Client().post(URL, body, content_type="application/json", headers=stage.red.headers)
    assert answer.status_code == status
    assert not ReconciliationRun.objects.exists()


@pytest.mark.slow
def test_a_full_chunk_fits(stage: Stage, db: None) -> None:
    full = [
        row(uuid.uuid4(), uuid.uuid4(), "viewer", changed_at="2026-04-03T09:30:00.000000+00:00") for _ in range(5_000)
    ]
    assert stage.red.push(1, full, last=True).json()["received"] == 5_000
    assert stage.red.run().counts == {"members": 5_000, "unknown_organization": 5_000, "open_drift": 5_000}


@pytest.mark.django_db
def test_a_row_of_the_future_is_refused_with_its_chunk(stage: Stage) -> None:
    late = {**stage.rows(0)[0], "changed_at": (clock.now() + timedelta(minutes=6)).isoformat()}
    pusher = pusher_of(f"red-{uuid.uuid4().hex[:6]}", stage.acme)
    answer = pusher.push(1, [late], last=True)
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["in_the_future"]
    assert not ReconciliationRun.objects.filter(product=pusher.product).exists()
