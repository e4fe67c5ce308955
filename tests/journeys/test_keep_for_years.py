"""What is kept how long, and that a repetition is known when what it said is gone (spec 14, Years of data)."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import RecordAdjustment, SyncRun
from apps.core import clock, retention
from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource, Role
from apps.core.errors import CountinghouseError
from apps.core.idempotency import RepeatedRefusalError
from apps.core.ids import JobRunId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.models import IdempotencyRecord, JobRun, OutboxItem
from apps.core.retention import RETENTIONS, purge
from apps.core.states import JobRunStatus, JobTrigger, OutboxStatus
from apps.credits.contracts import Consumption, scope_of
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch, hold_capture
from apps.credits.services.consumption import hash_of
from apps.credits.services.holds import CaptureParams
from apps.tenants.models import GuessCount
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import console_context
from tests.credits.cast import assert_sound, consumption, make_place

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
_BY_SCHEDULER = {
    "actor_label": "scheduler",
    "role": Role.SYSTEM,
    "authorization_source": AuthorizationSource.SCHEDULER,
    "request_id": "planted",
}


def run(days: float, status: JobRunStatus = JobRunStatus.SUCCEEDED, name: str = "sweep-inbox") -> uuid.UUID:
    at = clock.now() - days * DAY
    is_over = status not in (JobRunStatus.QUEUED, JobRunStatus.RUNNING)
    return JobRun.objects.create(
        name=name,
        slot=uuid.uuid4().hex,
        slot_at=at,
        status=status,
        trigger=JobTrigger.SCHEDULE,
        created_at=at,
        finished_at=at if is_over else None,
        lease_expires_at=None if is_over else at,
        **_BY_SCHEDULER,
    ).pk


def call(days: float, status: OutboxStatus = OutboxStatus.DONE) -> uuid.UUID:
    at = clock.now() - days * DAY
    return OutboxItem.objects.create(
        kind="planted",
        key=uuid.uuid4().hex,
        payload={},
        status=status,
        next_attempt_at=at,
        actor_kind="console",
        actor_label="scheduler",
        request_id="planted",
        created_at=at,
        finished_at=None if status == OutboxStatus.PENDING else at,
    ).pk


def remaining(model: Any) -> set[Any]:
    return set(model.objects.values_list("pk", flat=True))


def test_runs_of_jobs_go_but_for_the_last_success_of_each_and_open_ones() -> None:
    # Each job's own: failures after its only success, and one that succeeds all the time.
    kept = {run(900), run(401, JobRunStatus.QUEUED), run(399, JobRunStatus.FAILED)}
    kept |= {run(500, name="billing-sync")}
    run(950), run(800, JobRunStatus.FAILED), run(600, name="billing-sync"), run(500, JobRunStatus.SKIPPED)
    run(401, JobRunStatus.FAILED, name="of-a-former-release")
    assert purge("purge-history")["job_runs"] == 5
    assert remaining(JobRun) == kept
    assert purge("purge-history")["job_runs"] == 0


def test_outgoing_calls_go_once_they_are_done_and_parked_ones_stay() -> None:
    kept = {call(89), call(200, OutboxStatus.PARKED), call(200, OutboxStatus.PENDING)}
    call(91), call(91, OutboxStatus.SUPPRESSED)
    assert purge("purge-history")["outgoing_calls"] == 2
    assert remaining(OutboxItem) == kept


def test_runs_of_syncs_go_but_for_the_last_success_and_those_that_changed_a_final_month() -> None:
    workspace = make_active_workspace()
    quiet, busy = make_connector(workspace), make_connector(workspace)

    def sync(connector: Any, days: float, status: SyncStatus = SyncStatus.SUCCEEDED) -> SyncRun:
        at = clock.now() - days * DAY
        return SyncRun.objects.create(
            connector=connector,
            month="2024-01",
            trigger=SyncTrigger.SCHEDULE,
            reason="planted",
            status=status,
            error_code="planted" if status == SyncStatus.FAILED else "",
            created_at=at,
            finished_at=at,
            **_BY_SCHEDULER,
        )

    changed = sync(busy, 700)
    RecordAdjustment.objects.create(
        connector=busy, run=changed, month="2024-01", external_id="x", kind="added", amount_after=1,
        currency_after="EUR", noted_at=changed.created_at,
    )  # fmt: skip
    kept = {changed.pk, sync(quiet, 600).pk, sync(busy, 10).pk, sync(quiet, 399, SyncStatus.FAILED).pk}
    sync(quiet, 650), sync(quiet, 500, SyncStatus.FAILED), sync(busy, 500)
    assert purge("purge-history")["sync_runs"] == 3
    assert remaining(SyncRun) == kept


def test_failed_sign_ins_go_after_30_days() -> None:
    for days in (29, 31):
        GuessCount.objects.create(key=str(days), tries=1, ends_at=clock.now() - days * DAY)
    assert purge("purge-history")["sign_in_failures"] == 1
    assert remaining(GuessCount) == {"29"}


def test_each_time_is_a_setting(settings: Settings) -> None:
    settings.KEEP_OUTBOX_DAYS = 40
    call(41), call(39)
    assert purge("purge-history")["outgoing_calls"] == 1


def test_a_purge_that_is_stopped_half_way_ends_like_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LONGEST", timedelta(0))
    run(500), run(401)
    for _ in range(3):
        call(100)
    calls = RETENTIONS["outgoing_calls"]
    rows = calls.due(calls.cutoff())
    portions = retention.delete_portions(rows, at_most=2)
    assert next(portions) == 2  # and its process dies
    assert OutboxItem.objects.count() == 1
    assert "outgoing_calls" not in purge("purge-history")  # the table before took all the time
    monkeypatch.undo()
    assert purge("purge-history")["outgoing_calls"] == 1
    assert not OutboxItem.objects.exists()


def test_the_jobs_run_and_say_what_they_removed() -> None:
    call(91)
    asked = job_run_request(console_context(), name="purge-history")
    done = job_run_execute(JobRunId(asked.pk), source=AuthorizationSource.CONSOLE)
    assert done is not None
    assert done.counts == {"job_runs": 0, "outgoing_calls": 1, "sign_in_failures": 0, "sync_runs": 0}


# --- Answers -------------------------------------------------------------------------------------------------------


class Asked:
    """One request of each kind, made long ago."""

    def __init__(self, product: str = "red") -> None:
        self.place = make_place(product, whole_credits=10)
        hold = credits_authorize(
            self.place.context, question=consumption(self.place).question, hold_ttl=timedelta(hours=1), key="hold"
        )["hold"]
        assert isinstance(hold, dict)
        self.hold_id = uuid.UUID(str(hold["id"]))

    def consume(self, key: str = "run", **values: Any) -> dict[str, Any]:
        return dict(credits_consume(self.place.context, consumption=self.asked(key, **values)).body)

    def consume_as_before(self, key: str = "run") -> dict[str, Any]:
        """As before the entry was the record of its key: the key and the whole answer in the store."""
        body = self.consume(f"entry of {key}")
        IdempotencyRecord.objects.create(
            scope=scope_of(self.place.context),
            key=key,
            operation="credits.consume",
            body_hash=hash_of(self.asked(key)),
            outcome="answered",
            status=201,
            answer=body,
            created_at=clock.now(),
        )
        return body

    def asked(self, key: str, **values: Any) -> Consumption:
        return consumption(self.place, key, **values)

    def capture(self) -> dict[str, Any]:
        return dict(
            hold_capture(
                self.place.context, hold_id=self.hold_id, key="capture", params=CaptureParams(outcome="succeeded")
            ).body
        )

    def authorize(self) -> dict[str, Any]:
        return credits_authorize(
            self.place.context, question=self.asked("x").question, hold_ttl=timedelta(hours=1), key="hold"
        )

    def refused(self, context: ExecutionContext | None = None) -> CountinghouseError:
        with pytest.raises(CountinghouseError) as refusal:
            credits_consume(context or self.place.context, consumption=self.asked("dear", quantity=10**12))
        return refusal.value


@pytest.fixture
def asked() -> tuple[Asked, dict[str, Any]]:
    with time_machine.travel(clock.now() - 401 * DAY):
        scene = Asked()
        first = {"authorize": scene.authorize(), "consume": scene.consume_as_before(), "refused": scene.refused()}
        first["capture"] = scene.capture()
        return scene, first


def answers() -> dict[str, Any]:
    return dict(IdempotencyRecord.objects.values_list("key", "answer"))


def test_an_old_answer_is_made_of_its_entry_again(asked: tuple[Asked, dict[str, Any]]) -> None:
    scene, first = asked
    whole = answers()
    counted = purge("purge-payloads")["answers"]
    assert counted == 4  # the grant's answer is ids and amounts alone
    kept = answers()
    assert kept["run"] == {"entry_id": first["consume"]["entry_id"]}
    assert len(json.dumps(kept["hold"])) < len(json.dumps(whole["hold"]))
    # Each late duplicate: by itself, and in a batch.
    assert scene.consume() == first["consume"]
    (batched,) = credits_consume_batch(scene.place.context, consumptions=[scene.asked("run")])
    assert not isinstance(batched, CountinghouseError)
    assert dict(batched.body) == first["consume"]
    assert scene.capture() == first["capture"]
    assert scene.authorize() == {**first["authorize"], "explanation": []}
    again = scene.refused()
    assert isinstance(again, RepeatedRefusalError)
    was = first["refused"]
    assert (again.kind, again.problem_code, again.problem_title) == (was.kind, was.problem_code, was.problem_title)
    assert again.decision_id == was.decision_id
    assert "no longer kept" in again.detail
    with pytest.raises(CountinghouseError) as other_body:
        scene.consume(quantity=5)
    assert other_body.value.problem_code == "idempotency_key_reused"
    assert_sound()
    assert purge("purge-payloads")["answers"] == 0
    assert answers() == kept


def test_young_answers_stay_whole() -> None:
    scene = Asked()
    scene.consume_as_before()
    whole = answers()
    assert purge("purge-payloads")["answers"] == 0
    assert answers() == whole


def test_of_an_answer_parts_may_go_and_nothing_else(asked: tuple[Asked, dict[str, Any]]) -> None:
    Asked("blue").consume_as_before("young")
    changes = (
        ("answer = answer || '{\"charged\": 1}'", "run"),
        ("answer = '{}', body_hash = 'x'", "run"),
        ("status = 200", "run"),
        ("answer = '{}'", "young"),
    )
    for change, key in changes:
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE core_idempotencyrecord SET {change} WHERE key = %s", [key])


# --- manage.py storage ---------------------------------------------------------------------------------------------


def test_storage_says_what_there_is_and_what_will_go(capsys: pytest.CaptureFixture[str]) -> None:
    call(91), call(92), call(1)
    call_command("storage")
    text = capsys.readouterr().out
    assert "core_outboxitem" in text
    (line,) = [line for line in text.splitlines() if line.startswith("outgoing calls")]
    assert line.split()[-2:] == ["90", "2"]
