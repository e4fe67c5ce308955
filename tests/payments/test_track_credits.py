"""Credits Granted and Credits Exhausted: each once, found from what credits keeps (spec 04, Tracking)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import AuthorizationSource, Role
from apps.core.errors import CountinghouseError
from apps.core.jobs import job_of
from apps.core.models import JobRun, OutboxItem
from apps.core.states import JobRunStatus, JobTrigger, OutboxStatus
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditAccount
from apps.credits.services import credit_grant, credits_consume
from apps.credits.services.grants import GrantParams
from apps.payments.credit_tracking import track_exhaustion
from apps.payments.models import BillingEvent
from apps.payments.tracking import SEGMENT_KIND
from apps.subscriptions.models import DecisionReceipt
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.factories.tenants import make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def track(*, include_demo: bool = False) -> dict[str, int]:
    """What the job counts."""
    job = job_of("track-credits")
    assert job is not None
    counts = job.run(console_context(), slot=clock.now(), organization_id=None, include_demo=include_demo)
    return {name: counts[name] for name in ("granted", "exhausted")}


def succeeded(started_at: datetime) -> None:
    """A scheduled run of the job that went well."""
    JobRun.objects.create(
        name="track-credits",
        slot=started_at.isoformat(),
        slot_at=started_at,
        status=JobRunStatus.SUCCEEDED,
        trigger=JobTrigger.SCHEDULE,
        actor_label="beat",
        role=Role.SYSTEM,
        authorization_source=AuthorizationSource.SCHEDULER,
        request_id="beat-12345678",
        created_at=started_at,
        started_at=started_at,
        finished_at=started_at,
    )


def told(name: str) -> list[dict[str, str]]:
    """The properties of every such event, oldest first."""
    return list(BillingEvent.objects.filter(name=name).order_by("occurred_at").values_list("properties", flat=True))


def spend(place: Place, times: int) -> int:
    """Consume 2.5 credits so many times; how often it was refused."""
    refused = 0
    for _ in range(times):
        try:
            credits_consume(place.context, consumption=consumption(place))
        except CountinghouseError:
            refused += 1
    return refused


def test_each_grant_is_told_once_when_it_counts() -> None:
    place = make_place(whole_credits=5)
    give(place, MICRO // 2)
    assert track()["granted"] == 2
    assert told("Credits Granted") == [
        {"credits": "5", "grant_type": "purchased"},
        {"credits": "0.5", "grant_type": "purchased"},
    ]
    assert track() == {"granted": 0, "exhausted": 0}
    give(place, MICRO)
    assert track()["granted"] == 1


def test_refusals_are_one_exhaustion_until_the_next_grant() -> None:
    place = make_place(whole_credits=6)
    assert spend(place, 5) == 3
    assert DecisionReceipt.objects.filter(code="insufficient_credits").count() == 3
    assert track()["exhausted"] == 1
    assert track()["exhausted"] == 0
    assert told("Credits Exhausted") == [{"balance": "1"}]
    give(place, 3 * MICRO)
    assert spend(place, 3) == 2
    assert track()["exhausted"] == 1
    assert told("Credits Exhausted") == [{"balance": "1"}, {"balance": "1.5"}]


def test_a_balance_that_comes_to_nothing_is_told_without_a_refusal() -> None:
    place = make_place(whole_credits=5)
    spend(place, 1)
    assert track()["exhausted"] == 0
    assert spend(place, 1) == 0
    assert (track()["exhausted"], told("Credits Exhausted")) == (1, [{"balance": "0"}])
    # The refusal that follows tells nothing new.
    assert spend(place, 1) == 1
    assert track()["exhausted"] == 0


def test_who_never_had_credits_has_none_to_run_out_of() -> None:
    place = make_place()
    assert spend(place, 1) == 1
    assert track() == {"granted": 0, "exhausted": 0}


@pytest.mark.parametrize("hours", [0, 5, 500])
def test_whatever_came_since_the_last_good_run_is_found(hours: int) -> None:
    place = make_place(whole_credits=1)
    spend(place, 1)
    give(place, MICRO)
    succeeded(clock.now() - timedelta(hours=hours))
    assert track() == {"granted": 2, "exhausted": 1}


def test_what_was_before_the_last_good_run_is_not_read_again() -> None:
    spend(make_place(whole_credits=1), 1)
    succeeded(clock.now() + timedelta(hours=2))
    assert track() == {"granted": 0, "exhausted": 0}


def test_demo_tenants_are_told_of_only_when_asked_for(settings: Settings) -> None:
    settings.SEGMENT_WRITE_KEY = "segment_key"
    account = AccountRef(AccountType.ORGANIZATION, make_organization(is_demo=True).pk)
    wish = GrantParams(GrantType.PURCHASED, MICRO)
    credit_grant(console_context(), key="grant-of-the-demo", account=account, params=wish)
    assert track() == {"granted": 0, "exhausted": 0}
    assert track(include_demo=True) == {"granted": 1, "exhausted": 0}
    assert OutboxItem.objects.get(kind=SEGMENT_KIND).status == OutboxStatus.SUPPRESSED


def test_finding_is_set_based(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(3):
        spend(make_place(f"red{number}", whole_credits=1), 2)
    assert CreditAccount.objects.count() == 3
    track()
    ids = list(CreditAccount.objects.values_list("pk", flat=True))
    with django_assert_num_queries(2):
        assert track_exhaustion(console_context(), ids, since=None) == 0


def test_where_nothing_moved_no_entry_is_read() -> None:
    for number in range(3):
        spend(make_place(f"red{number}", whole_credits=1), 1)
    track()
    succeeded(clock.now() + timedelta(hours=2))
    with CaptureQueriesContext(connection) as asked:
        assert track() == {"granted": 0, "exhausted": 0}
    tables = " ".join(query["sql"] for query in asked.captured_queries)
    assert "credits_creditentry" not in tables
    assert "payments_billingevent" not in tables


def test_it_runs_every_five_minutes() -> None:
    job = job_of("track-credits")
    assert job is not None
    assert job.cadence.every.total_seconds() == 300
