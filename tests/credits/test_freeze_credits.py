"""Credits of a closed organization are frozen: each door says so and moves nothing; what runs may come to its end."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.test import Client

from apps.core.amounts import MICRO
from apps.core.errors import ConflictError, CountinghouseError
from apps.core.ids import OrganizationId
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType
from apps.credits.models import CreditEntry, CreditGrant, Hold
from apps.credits.services import credit_adjust, credits_authorize, credits_consume, overdraft_set
from apps.subscriptions.contracts import SetSubscriptionStatus
from apps.subscriptions.enums import SubscriptionStatus
from apps.subscriptions.services import payment_config_change
from apps.tenants import closing
from apps.tenants.services import organization_close, organization_reopen
from tests.contexts import console_context, staff_context
from tests.core.threads import at_once
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.factories.tenants import make_token

pytestmark = pytest.mark.django_db


class Stage:
    """An account with a grant, a charge and three open holds, and the product at its doors."""

    def __init__(self) -> None:
        self.place: Place = make_place(whole_credits=20)
        self.grant_id = CreditGrant.objects.get(account=self.place.account).pk
        self.headers = {"authorization": f"Bearer {make_token(self.place.product)}"}
        self.account = {"type": "organization", "id": str(self.place.organization.pk)}
        status, charge = self.send("credits:consume", self.run("first"))
        assert status == 201
        self.entry_id = charge["entry_id"]
        self.holds = [self.hold(f"hold {number}") for number in range(3)]

    def send(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        url = f"/api/v1/internal/{path}"
        if body is None:
            answer = Client().get(url, headers=self.headers)
        else:
            answer = Client().post(url, json.dumps(body), content_type="application/json", headers=self.headers)
        return answer.status_code, json.loads(answer.content)

    def run(self, key: str, **values: Any) -> dict[str, Any]:
        asked = {"account": self.account, "operation": "unit", "quantity": "1", "outcome": "succeeded"}
        return {"idempotency_key": key, **asked, **values}

    def hold(self, key: str) -> str:
        asked = {"account": self.account, "operation": "unit", "quantity": "2"}
        body = {**asked, "hold": {"ttl_seconds": 3600}, "idempotency_key": key}
        status, answer = self.send("credits:authorize", body)
        assert (status, answer["decision"]) == (200, "allow")
        return str(answer["hold"]["id"])

    def close(self) -> None:
        organization_close(
            staff_context(), organization_id=OrganizationId(self.place.organization.pk), reason="left", is_forced=True
        )

    def reopen(self) -> None:
        organization_reopen(
            staff_context(), organization_id=OrganizationId(self.place.organization.pk), reason="came back"
        )

    def books(self) -> list[object]:
        account = self.place.account
        return [
            (account.balance, account.held, account.overdraft_limit, account.last_sequence),
            CreditEntry.objects.count(),
            list(CreditGrant.objects.order_by("pk").values()),
            list(Hold.objects.order_by("pk").values()),
        ]


@pytest.fixture
def stage() -> Stage:
    # A subscribed organization, so that nothing but the close can be what refuses.
    made = Stage()
    payment_config_change(
        console_context(),
        organization_id=OrganizationId(made.place.organization.pk),
        change=SetSubscriptionStatus(SubscriptionStatus.SUBSCRIBED),
    )
    return made


def doors(stage: Stage) -> dict[str, tuple[str, dict[str, Any]]]:
    reason = {"reason": "our fault"}
    grant = {"account": stage.account, "grant_type": "bonus", "amount": "5"}
    return {
        "grant": ("credits:grant", {"idempotency_key": "g", **grant}),
        "reverse": (f"entries/{stage.entry_id}:reverse", {"idempotency_key": "r", **reason}),
        "void": (f"grants/{stage.grant_id}:void", {"idempotency_key": "v", **reason}),
        "consume": ("credits:consume", stage.run("c")),
    }


CODES = {"consume": (403, "lifecycle_denied")}


@pytest.mark.parametrize("door", ["grant", "reverse", "void", "consume"])
def test_a_product_is_told_and_nothing_moves_and_after_reopening_the_same_key_works(stage: Stage, door: str) -> None:
    path, body = doors(stage)[door]
    stage.close()
    before = stage.books()
    status, problem = stage.send(path, body)
    assert (status, problem["code"]) == CODES.get(door, (409, "organization_closed"))
    told = [step for step in problem["explanation"] if step["rule"] == "organization_closed"]
    assert [(step["outcome"], step["record"]) for step in told] == [
        ("deny", f"organization:{stage.place.organization.pk}")
    ]
    assert stage.books() == before
    stage.reopen()
    status, _ = stage.send(path, body)
    assert status in {200, 201}
    assert_sound()


def test_staff_adjust_and_lend_nothing(stage: Stage) -> None:
    stage.close()
    before, account_id = stage.books(), stage.place.account.pk
    calls = (
        lambda: credit_adjust(staff_context(), account_id=account_id, key="a", amount=MICRO, reason="wrong"),
        lambda: overdraft_set(staff_context(), account_id=account_id, limit=MICRO, reason="trusted"),
        lambda: give(stage.place, MICRO),
    )
    for call in calls:
        with pytest.raises(ConflictError) as refusal:
            call()
        assert refusal.value.problem_code == "organization_closed"
    assert stage.books() == before


def test_what_runs_comes_to_its_end_and_what_has_run_is_written_down(stage: Stage) -> None:
    stage.close()
    captured, released, extended = stage.holds
    status, answer = stage.send(f"holds/{captured}:capture", {"idempotency_key": "1", "outcome": "succeeded"})
    assert (status, answer["charged"], answer["warnings"]) == (201, "2", ["booked_though_lifecycle_denied"])
    assert stage.send(f"holds/{released}:release", {"idempotency_key": "2"})[0] == 200
    assert stage.send(f"holds/{extended}:extend", {"idempotency_key": "3", "ttl_seconds": 7200})[0] == 200
    assert stage.send(f"holds/{extended}:capture", {"idempotency_key": "4", "outcome": "succeeded"})[0] == 201
    status, answer = stage.send("credits:consume", stage.run("late", on_insufficient="record"))
    assert (status, answer["warnings"]) == (201, ["booked_though_lifecycle_denied"])
    assert_sound()


def test_no_hold_is_opened_and_products_read_on(stage: Stage) -> None:
    stage.close()
    asked = {"account": stage.account, "operation": "unit", "quantity": "2", "hold": {"ttl_seconds": 60}}
    _, answer = stage.send("credits:authorize", {**asked, "idempotency_key": "new"})
    assert (answer["decision"], answer["code"], answer["lifecycle"], answer["hold"]) == (
        "deny",
        "lifecycle_denied",
        "closed",
        None,
    )
    of_account = f"accounts/organization/{stage.place.organization.pk}"
    for path in (f"{of_account}/balance", f"{of_account}/grants", f"{of_account}/entries"):
        assert stage.send(path)[0] == 200, path


@pytest.mark.django_db(transaction=True)
def test_a_close_among_consumptions_lets_none_through_after_it() -> None:
    """Each is before the close or after it: after the last charge nothing but the close has locked the account."""
    stage = Stage()
    for hold in stage.holds:
        assert stage.send(f"holds/{hold}:release", {"idempotency_key": f"end {hold}"})[0] == 200

    def act(number: int) -> str:
        if number == 0:
            organization_close(
                staff_context(), organization_id=OrganizationId(stage.place.organization.pk), reason="left"
            )
            return "closed"
        item = consumption(
            stage.place,
            operation="unit",
            quantity=MICRO // 10,
            account=AccountRef(AccountType.ORGANIZATION, stage.place.organization.pk),
        )
        credits_consume(stage.place.context, consumption=item)
        return "charged"

    outcomes = at_once(12, act)
    assert outcomes[0] == "closed"
    rest = outcomes[1:]
    refused = [error.problem_code for error in rest if isinstance(error, CountinghouseError)]
    charged = rest.count("charged")
    assert (len(refused) + charged, set(refused) - {"lifecycle_denied"}) == (11, set())
    stage.place.organization.refresh_from_db()
    closed_at = stage.place.organization.closed_at
    late = CreditEntry.objects.filter(kind="consumption", quantity=MICRO // 10)
    assert late.count() == charged
    with pytest.raises(CountinghouseError):
        credits_consume(stage.place.context, consumption=consumption(stage.place, key=uuid.uuid4().hex))
    assert closed_at is not None
    assert_sound()


def race_for_a_hold(stage: Stage) -> str:
    """A hold is asked for when a close has just seen that none is open: what the product is told."""
    reached, decided = threading.Event(), threading.Event()

    def pause(context: object, *, organization_id: OrganizationId) -> None:
        reached.set()
        decided.wait(0.7)

    def act(number: int) -> str:
        if number == 0:
            with mock.patch.dict(closing._closed, {"pause": pause}):
                organization_close(
                    staff_context(), organization_id=OrganizationId(stage.place.organization.pk), reason="left"
                )
            return "closed"
        assert reached.wait(10)
        question = consumption(stage.place, operation="unit").question
        answer = credits_authorize(stage.place.context, question=question, hold_ttl=timedelta(hours=1), key="late")
        decided.set()
        return str(answer["decision"])

    outcomes = at_once(2, act)
    assert outcomes[0] == "closed"
    return str(outcomes[1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_locked", [True, False], ids=["as it is", "control: without the account's lock"])
@pytest.mark.slow
def test_no_hold_comes_between_the_look_and_the_close(*, is_locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    for hold in stage.holds:
        stage.send(f"holds/{hold}:release", {"idempotency_key": f"end {hold}"})
    if not is_locked:
        monkeypatch.setattr("apps.credits.services.holds.account_for_update", lambda account_id: None)
    assert race_for_a_hold(stage) == ("deny" if is_locked else "allow")
    assert Hold.objects.filter(status="open").exists() is not is_locked
