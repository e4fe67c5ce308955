"""What the passing of time brings: done by the jobs, or on read, and the same either way (spec 05; issue "Jobs")."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import AuthorizationSource
from apps.core.errors import CountinghouseError, MalformedRequestError
from apps.core.ids import JobRunId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.states import JobRunStatus
from apps.credits.jobs import expire_grants, release_holds
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, Hold
from apps.credits.services import account_apply_due, credits_authorize, credits_consume, entry_reverse, hold_capture
from apps.credits.services.holds import CaptureParams
from tests.contexts import console_context, product_context
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.factories.tenants import make_organization, make_product
from tests.sizes import size

pytestmark = pytest.mark.django_db
START = datetime.fromisoformat("2031-03-03T12:00:00+00:00")


def run_jobs(**values: Any) -> dict[str, int]:
    """Both jobs as beat would run them; the counts of the first, which does whatever is due."""
    wish = {"organization_id": None, "include_demo": False, **values}
    first = release_holds(console_context(), slot=clock.now(), **wish)
    second = expire_grants(console_context(), slot=clock.now(), **wish)
    return {name: count + second[name] for name, count in first.items()}


def hold(place: Place, hours: float, quantity: int) -> uuid.UUID:
    asked = consumption(place, operation="unit", quantity=quantity * MICRO).question
    answer: Any = credits_authorize(
        place.context, question=asked, hold_ttl=timedelta(hours=hours), key=uuid.uuid4().hex
    )
    return uuid.UUID(answer["hold"]["id"])


def told(act: Callable[[], Any]) -> object:
    """What the act answers, without what differs by nature."""
    try:
        answer = act()
    except CountinghouseError as refusal:
        return refusal.problem_code
    said = answer if isinstance(answer, dict) else dict(answer.body)
    return {name: said.get(name) for name in ("decision", "code", "charged", "balance", "held", "available")}


def standing(place: Place) -> object:
    """How the account stands, and by which lines it came to that."""
    account = place.account
    lines = CreditEntry.objects.filter(account=account.pk).order_by("sequence")
    return account.balance, account.held, list(lines.values_list("kind", "amount"))


def asks(place: Place, quantity: int) -> Callable[[], Any]:
    question = consumption(place, operation="unit", quantity=quantity * MICRO).question
    return lambda: credits_authorize(place.context, question=question)


def consumes(place: Place, quantity: int) -> Callable[[], Any]:
    item = consumption(place, "then", operation="unit", quantity=quantity * MICRO)
    return lambda: credits_consume(place.context, consumption=item)


def captures(place: Place, _: int) -> Callable[[], Any]:
    opened = Hold.objects.filter(account=place.organization.pk).earliest("expires_at")
    return lambda: hold_capture(place.context, hold_id=opened.pk, key="then", params=CaptureParams("succeeded"))


HOURS = (1, 1.5, 2, 4, 0.5, 3, 24 * 400)[: size(small=4, full=7)]
QUANTITIES = (15, 25, 5, 35)[: size(small=2, full=4)]
ACTS = [(act, quantity) for act in (asks, consumes) for quantity in QUANTITIES] + [(captures, 0)]


@pytest.mark.parametrize(("act", "quantity"), ACTS)
@pytest.mark.parametrize("hours", HOURS)
def test_a_stopped_beat_changes_no_decision(act: Callable[..., Any], quantity: int, hours: float) -> None:
    """Two places with one past; at the same moment one had its jobs run, the other not.

    A refusal undoes what was settled on the way to it, and the next read does it again; so the ledgers are compared
    once both were settled.
    """
    answers, ends = [], []
    for slug in ("red", "blue"):
        with time_machine.travel(START, tick=False):
            place = make_place(slug)
            give(place, 10 * MICRO)
            give(place, 10 * MICRO, expires_at=START + timedelta(hours=1.5), priority=1)
            give(place, 10 * MICRO, effective_at=START + timedelta(hours=2), expires_at=START + timedelta(hours=4))
            hold(place, 1, 7)
            hold(place, 3, 6)
        with time_machine.travel(START + timedelta(hours=hours), tick=False):
            doing = act(place, quantity)
            if slug == "red":
                run_jobs(organization_id=place.organization.pk)
            answers.append(told(doing))
            run_jobs(organization_id=place.organization.pk)
            ends.append(standing(place))
            assert_sound()
    assert answers[0] == answers[1]
    assert ends[0] == ends[1]


def test_the_jobs_make_up_for_an_outage_in_one_run_and_then_find_nothing() -> None:
    with time_machine.travel(START, tick=False):
        places = [make_place(f"p{number}") for number in range(3)]
        for place in places:
            give(place, 10 * MICRO, expires_at=START + timedelta(hours=5))
            give(place, 5 * MICRO)
            hold(place, 1, 12)
    with time_machine.travel(START + timedelta(days=9), tick=False):
        counts = run_jobs()
        assert counts == {"accounts": 3, "holds_released": 3, "grants_begun": 0, "grants_expired": 3}
        assert {(place.account.balance, place.account.held) for place in places} == {(5 * MICRO, 0)}
        assert set(run_jobs().values()) == {0}
        assert_sound()


def test_a_run_for_one_organization_leaves_the_others_and_demo_tenants_wait_to_be_asked_for() -> None:
    with time_machine.travel(START, tick=False):
        mine, other = make_place("red"), _demo_place()
        for place in (mine, other):
            give(place, MICRO, expires_at=START + timedelta(hours=1))
    with time_machine.travel(START + timedelta(days=1), tick=False):
        assert run_jobs(organization_id=mine.organization.pk)["accounts"] == 1
        assert run_jobs()["accounts"] == 0
        assert other.account.balance == MICRO
        assert run_jobs(include_demo=True)["accounts"] == 1
        assert not CreditAccount.objects.filter(balance__gt=0).exists()


def test_the_jobs_burn_what_was_charged_and_then_find_nothing() -> None:
    place = make_place(whole_credits=10)
    credits_consume(place.context, consumption=consumption(place, operation="unit", quantity=4 * MICRO))
    assert not GrantBurn.objects.exists()
    assert run_jobs()["accounts"] == 1
    assert GrantBurn.objects.get().amount == 4 * MICRO
    assert run_jobs()["accounts"] == 0
    assert_sound()


def _demo_place() -> Place:
    organization = make_organization("Demo", is_demo=True)
    product = make_product("blue", organization)
    return Place(product, organization, product_context(product))


def test_what_is_given_back_to_an_expired_grant_expires_with_it() -> None:
    with time_machine.travel(START, tick=False):
        place = make_place()
        grant = give(place, 10 * MICRO, expires_at=START + timedelta(hours=1))
        charge = credits_consume(place.context, consumption=consumption(place, operation="unit", quantity=4 * MICRO))
    with time_machine.travel(START + timedelta(hours=2), tick=False):
        run_jobs()
        entry_reverse(place.context, entry_id=uuid.UUID(str(charge.body["entry_id"])), key="r", reason="our fault")
        assert (place.account.balance, CreditGrant.objects.get(pk=grant).remaining) == (0, 0)
    kinds = CreditEntry.objects.order_by("sequence").values_list("kind", "amount")
    assert list(kinds) == [
        ("grant", 10 * MICRO),
        ("consumption", -4 * MICRO),
        ("expiry", -6 * MICRO),
        ("reversal", 4 * MICRO),
        ("expiry", -4 * MICRO),
    ]
    assert_sound()


def test_what_a_hold_kept_of_an_ended_grant_goes_once_other_credits_stand_for_the_hold() -> None:
    """Nobody spends what has expired: a new grant takes over the hold, just as what is given back does."""
    with time_machine.travel(START, tick=False):
        place = make_place()
        ended = give(place, 10 * MICRO, expires_at=START + timedelta(hours=1))
        hold(place, 12, 10)
    with time_machine.travel(START + timedelta(hours=2), tick=False):
        run_jobs()
        assert (place.account.balance, CreditGrant.objects.get(pk=ended).remaining) == (10 * MICRO, 10 * MICRO)
        assert told(consumes(place, 1)) == "insufficient_credits"
        give(place, 4 * MICRO)
        assert (place.account.balance, CreditGrant.objects.get(pk=ended).remaining) == (10 * MICRO, 6 * MICRO)
        assert told(asks(place, 1)) == {
            "decision": "deny", "code": "insufficient_credits", "charged": None,
            "balance": 10 * MICRO, "held": 10 * MICRO, "available": 0,
        }  # fmt: skip
    assert_sound()


def three_due_accounts_the_first_broken() -> list[Place]:
    """What the first one holds was tampered with, so that its hold can't be released."""
    places = sorted((make_place(f"p{number}") for number in range(3)), key=lambda place: place.organization.pk)
    for place in places:
        give(place, 5 * MICRO)
        hold(place, 1, 3)
    CreditAccount.objects.filter(pk=places[0].organization.pk).update(held=0)
    return places


@pytest.mark.parametrize("job", ["release-holds", "expire-grants"])
def test_one_account_that_fails_does_not_stop_the_others(job: str, caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(START, tick=False):
        broken, *others = three_due_accounts_the_first_broken()
    with time_machine.travel(START + timedelta(hours=2), tick=False):
        requested = job_run_request(console_context(), name=job)
        run = job_run_execute(JobRunId(requested.pk), source=AuthorizationSource.CONSOLE)
        assert run is not None
        assert run.status == JobRunStatus.FAILED
        assert "accounts: 1 failed, 2 were done" in run.error
        assert str(broken.organization.pk) in run.error
        assert [place.account.held for place in others] == [0, 0]
        assert broken.account.next_due_at is not None
    logged = [record for record in caplog.records if record.message == "job_record_failed"]
    assert [vars(record)["record"] for record in logged] == [f"accounts {broken.organization.pk}"]


def stopping_at_the_first(places: list[Place]) -> None:
    for place in places:
        account_apply_due(console_context(), account_id=place.organization.pk)


def test_control_a_run_that_stops_at_the_first_failure_leaves_the_others() -> None:
    with time_machine.travel(START, tick=False):
        places = three_due_accounts_the_first_broken()
    with time_machine.travel(START + timedelta(hours=2), tick=False):
        with pytest.raises(IntegrityError), transaction.atomic():
            stopping_at_the_first(places)
        assert [place.account.held for place in places] == [0, 3 * MICRO, 3 * MICRO]


def test_a_hold_without_a_key_is_refused_and_not_opened() -> None:
    place = make_place(whole_credits=10)
    question = consumption(place, operation="unit").question
    with pytest.raises(MalformedRequestError) as refusal:
        credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1))
    assert [(error.field, error.code) for error in refusal.value.errors] == [("idempotency_key", "required")]
    assert not Hold.objects.exists()
