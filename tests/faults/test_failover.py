"""The database fails over: whoever asks again is answered, and nothing unconfirmed was ever answered 2xx (P15)."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from apps.core.amounts import MICRO
from apps.credits.models import CreditEntry, ShadowComparison
from apps.tenants.enums import BillingMode
from apps.tenants.models import ServiceToken
from tests.core.elsewhere import elsewhere
from tests.credits.cast import Place, assert_sound, give, make_place
from tests.credits.test_book_what_happened import set_mode
from tests.factories.tenants import make_token
from tests.faults.clusters import Pair
from tests.faults.poolers import server_socket_folder
from tests.faults.stacks import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

CONSUME = "/api/v1/internal/credits:consume"
AUTHORIZE = "/api/v1/internal/credits:authorize"
_LONGEST_SECONDS = 30


@pytest.fixture(scope="module")
def cluster(django_db_setup: None) -> Iterator[Pair]:
    """A primary and its synchronous standby, with the test's database."""
    pair = Pair()
    try:
        pair.start(f"host={server_socket_folder()} user=postgres")
        yield pair
    finally:
        pair.clear()


@pytest.fixture
def pair(transactional_db: None, cluster: Pair) -> Iterator[Pair]:
    """The product's connections lead there, to whichever server takes writes."""
    with elsewhere(**cluster.place, OPTIONS={"target_session_attrs": "read-write"}):
        yield cluster


class Caller:
    """A product that consumes, one request at a time."""

    def __init__(self, place: Place) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {make_token(place.product)}"}
        self.account = {"type": "organization", "id": str(place.organization.pk)}

    def consume(self, key: str) -> Any:
        body = {"account": self.account, "operation": "unit", "quantity": "1", "outcome": "succeeded"}
        return self._post(CONSUME, {**body, "idempotency_key": key, "run_id": key})

    def authorize(self, **more: Any) -> Any:
        return self._post(AUTHORIZE, {"account": self.account, "operation": "unit", "quantity": "1", **more})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.post(path, body, content_type="application/json", headers=self.headers)


def charges_of(place: Place) -> int:
    return CreditEntry.objects.filter(account=place.organization.pk, kind="consumption").count()


def test_a_process_is_served_again_after_a_failover_without_a_restart(pair: Pair) -> None:
    place = make_place(whole_credits=10)
    caller = Caller(place)
    assert caller.consume("before").status_code == 201
    pair.primary.kill()
    away = caller.consume("during")
    assert (away.status_code, away.headers["Retry-After"].isdecimal()) == (503, True)
    pair.fail_over()
    started = time.monotonic()
    wait_until(lambda: caller.authorize().status_code == 200)
    assert time.monotonic() - started < _LONGEST_SECONDS
    pair.bring_back()
    assert caller.consume("during").status_code == 201
    assert caller.consume("before").json()["replayed"] is True
    assert charges_of(place) == 2
    give(place, MICRO)  # by Django's cursors
    assert_sound()


AGREES = {"local_decision": {"decision": "allow", "balance": "10", "charge": "1"}}


@pytest.mark.parametrize("local", [{}, AGREES], ids=["central", "shadow"])
def test_a_call_that_only_reads_waits_for_no_standby(pair: Pair, local: dict[str, Any]) -> None:
    """Though it notes when its token was last used, and counts what it compared."""
    place = make_place(f"p{uuid.uuid4().hex[:8]}", whole_credits=10)
    if local:
        set_mode(place, BillingMode.SHADOW)
    caller = Caller(place)
    pair.standby.kill()
    try:
        answer = caller.authorize(**local)
        assert (answer.status_code, answer.json().get("decision")) == (200, "allow"), answer.content
        assert ServiceToken.objects.get(product=place.product).last_used_at is not None
        assert ShadowComparison.objects.filter(product=place.product).count() == bool(local)
    finally:
        pair.standby.start()
        pair.wait_until_synchronous()


def cancel_waits(pair: Pair, over: threading.Event) -> None:
    """An operator cancels what waits for the standby."""
    waits = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    while not over.is_set():
        pair.primary.ask(waits)
        time.sleep(0.1)


@pytest.mark.parametrize("way", ["hot statement", "Django's transaction"])
def test_a_commit_that_no_standby_confirmed_is_never_answered_as_done(pair: Pair, way: str) -> None:
    place = make_place(f"p{uuid.uuid4().hex[:8]}", whole_credits=10)
    caller, over = Caller(place), threading.Event()
    assert caller.consume("first").status_code == 201
    pair.standby.kill()
    canceller = threading.Thread(target=cancel_waits, args=(pair, over))
    canceller.start()
    try:
        if way == "hot statement":
            assert caller.consume("second").status_code == 503
        else:
            with pytest.raises(OperationalError, match="synchronous standby"):
                give(place, MICRO)
    finally:
        over.set()
        canceller.join()
        pair.standby.start()
        pair.wait_until_synchronous()
    assert caller.consume("second").status_code in {200, 201}
    assert charges_of(place) == 2
    assert_sound()
