"""A life of more than a year with its nightly purges: what goes stays few, and what came once is known for ever.

Spec 14, Years of data. The days go by on the clock; everything else is as it is: services, webhooks over HTTP, jobs.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test import RequestFactory
from pytest_django import Settings

from apps.connectors.contracts import Month
from apps.connectors.ids import SyncRunId
from apps.connectors.models import BillingRecord, Connector, SyncRun
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request
from apps.core import clock
from apps.core.audit.verification import verify_audit
from apps.core.enums import AuthorizationSource
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.ids import JobRunId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.models import JobRun, OutboxItem
from apps.core.outbox import outbox_drain, outbox_enqueue
from apps.core.retention import RETENTIONS
from apps.credits.models import CreditEntry
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch, hold_capture
from apps.credits.services.holds import CaptureParams
from apps.payments.models import WebhookEvent
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.brute_force import begin_guess
from apps.tenants.guess_limits import GuessKind
from apps.tenants.models import GuessCount
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, make_place
from tests.payments.cast import SECRETS, Stripe, deliver, make_tenant
from tests.sizes import IS_FULL, size

pytestmark = [pytest.mark.django_db, pytest.mark.journey]

# The longest that anything is kept is 400 days; a month more shows that it stays as it is then.
DAYS = 435
STEP = size(small=15, full=1)
RUNS_A_DAY = size(small=2, full=100)
_DAY = timedelta(days=1)
_FOR_EVER = (CreditEntry, WebhookEvent, BillingRecord)
_NIGHTLY = ("refresh-rollups", "purge-receipts", "purge-history", "purge-payloads")


class Life:
    """What happens on a day, and what was answered on each."""

    def __init__(self) -> None:
        self.place: Place = make_place(whole_credits=DAYS * RUNS_A_DAY * 10)
        self.stripe = Stripe(make_tenant())
        self.connector: Connector = make_connector(make_active_workspace(is_demo=True), provider="demo")
        self.answers: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.removed: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """One day: runs, a refusal, a hold with its capture, an event, a sync, a mail, a bad sign-in, the night."""
        day = f"day {number}"
        self.answers |= {f"{kind} {day}": ask(day) for kind, ask in self.asks().items()}
        batch = [consumption(self.place, f"more {day} {run}", operation="unit") for run in range(RUNS_A_DAY)]
        credits_consume_batch(self.place.context, consumptions=batch)
        self.events.append(self.stripe.event("customer.updated", self.stripe.customer(), clock.now()))
        deliver(self.events[-1])
        [asked, *_] = sync_request(console_context(), connector_id=id_of(self.connector))
        sync_run_execute(SyncRunId(asked.run.pk))
        with transaction.atomic():
            outbox_enqueue(console_context(), kind="email.send", key=day, payload={
                "to": ["ann@example.com"], "subject": "A day", "text": day})  # fmt: skip
        outbox_drain(console_context(), limit=100)
        begin_guess(RequestFactory().post("/sign-in/"), GuessKind.PASSWORD, f"nobody{number}@example.com")
        self.sleep()

    def sleep(self) -> None:
        """The jobs of the night."""
        for name in _NIGHTLY:
            requested = job_run_request(console_context(), name=name)
            done = job_run_execute(JobRunId(requested.pk), source=AuthorizationSource.CONSOLE)
            assert done is not None
            assert done.status == "succeeded", done.error
            if name.startswith("purge"):
                self.removed.update(done.counts)

    def asks(self) -> dict[str, Callable[[str], object]]:
        """Each kind of request that is known by its key; asked again it has the same answer."""
        return {
            "consume": lambda day: (
                credits_consume(
                    self.place.context, consumption=consumption(self.place, f"run {day}", operation="unit")
                ).body
            ),
            "batch": lambda day: [
                self.body_of(one)
                for one in credits_consume_batch(
                    self.place.context, consumptions=[consumption(self.place, f"batched {day}", operation="unit")]
                )
            ],
            "refused": self.refused,
            "capture": self.captured,
        }

    def refused(self, day: str) -> tuple[str, str]:
        with pytest.raises(CountinghouseError) as refusal:
            credits_consume(self.place.context, consumption=consumption(self.place, f"dear {day}", quantity=10**12))
        return refusal.value.problem_code, str(refusal.value.decision_id)

    def captured(self, day: str) -> object:
        question = consumption(self.place, operation="unit").question
        answer = credits_authorize(
            self.place.context, question=question, hold_ttl=timedelta(hours=1), key=f"hold {day}"
        )
        hold: Any = answer["hold"]
        params = CaptureParams(outcome="succeeded")
        return hold_capture(self.place.context, hold_id=uuid.UUID(hold["id"]), key=f"capture {day}", params=params).body

    @staticmethod
    def body_of(one: Answer | CountinghouseError) -> object:
        assert isinstance(one, Answer), one
        return one.body


@pytest.fixture
def _secrets(settings: Settings) -> None:
    settings.WEBHOOK_SECRETS = SECRETS


def size_of_database() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_stat_user_tables")
        return int(cursor.fetchone()[0])


def kept_rows() -> dict[str, int]:
    """The rows of what is kept for a time only."""
    models = (JobRun, SyncRun, OutboxItem, DecisionReceipt, GuessCount)
    bodies = WebhookEvent.objects.exclude(body=None).count()
    return {
        "webhook bodies": bodies,
        **{str(model._meta.verbose_name_plural): model.objects.count() for model in models},
    }


@pytest.mark.usefixtures("_secrets")
@pytest.mark.prove("a life of more than a year: purged rows stay few, each late duplicate is known", size=DAYS)
def test_a_life_of_more_than_a_year(record_property: Callable[[str, object], None]) -> None:
    born = clock.now().replace(hour=12, minute=0, second=0, microsecond=0) - DAYS * _DAY
    with time_machine.travel(born, tick=False):
        life = Life()
    months: list[tuple[datetime, int, dict[str, int]]] = []
    for number in range(0, DAYS, STEP):
        with time_machine.travel(born + number * _DAY, tick=False):
            life.run(number)
            if not months or clock.now() - months[-1][0] >= 30 * _DAY:
                months.append((clock.now(), size_of_database(), kept_rows()))
    with time_machine.travel(born + DAYS * _DAY, tick=False):
        life.sleep()
        check_kept(life)
        check_late_duplicates(life)
    assert_sound()
    assert all(chain.is_sound for chain in verify_audit())
    grown = {kind: (months[-2][2][kind], count) for kind, count in months[-1][2].items()}
    assert not {kind: counts for kind, counts in grown.items() if counts[1] > counts[0] * 1.1}
    for at, bytes_of_tables, rows in months if IS_FULL else months[-1:]:
        record_property("measured", f"{at:%Y-%m-%d} {bytes_of_tables / 1e6:,.1f} MB, {rows}")
    record_property("measured", f"removed: {dict(life.removed)}")


def check_kept(life: Life) -> None:
    """Nothing is due that a purge left, and each purge has removed what there was."""
    assert {retention.name: retention.count_due() for retention in RETENTIONS.values()} == dict.fromkeys(RETENTIONS, 0)
    # Whoever signs in removes old failures too, so that the night may find none.
    assert {name for name in RETENTIONS if not life.removed[name]} <= {"sign_in_failures"}


def check_late_duplicates(life: Life) -> None:
    """Of every day, the first too: the same answer, and nothing new."""
    before = [model.objects.count() for model in _FOR_EVER]
    for number in range(0, DAYS, STEP):
        again = {f"{kind} day {number}": ask(f"day {number}") for kind, ask in life.asks().items()}
        assert again == {name: life.answers[name] for name in again}
    deliver(*life.events)
    first = Month.read(BillingRecord.objects.earliest("month").month)
    [asked, *_] = sync_request(console_context(), connector_id=id_of(life.connector), month=first)
    sync_run_execute(SyncRunId(asked.run.pk))
    assert [model.objects.count() for model in _FOR_EVER] == before
