"""THE contract that every provider must pass (spec 06): add yours by a stand-in in `test_<provider>.py`."""

from __future__ import annotations

import importlib
import pickle
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from apps.connectors.contracts import Provider, ProviderError, ProviderRecord
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.providers.registry import provider_classes
from apps.core.amounts import minor_digits
from apps.core.enums import UsageCategory
from tests.connectors.providers.stand_in import KEY, MONTH, Reply, StandIn
from tests.connectors.web import Web, put_up

NAMES = sorted(provider_classes())
OUTSIDE = [name for name in NAMES if provider_classes()[name].credential_kind is not CredentialKind.NONE]


def stand_in_of(name: str) -> StandIn:
    module = importlib.import_module(f"tests.connectors.providers.test_{name}")
    return cast("StandIn", module.STAND_IN)


@pytest.fixture(params=NAMES)
def stand_in(request: pytest.FixtureRequest, web: Web, settings: Settings) -> StandIn:
    found = stand_in_of(request.param)
    put_up(web, found, settings)
    return found


@pytest.fixture(params=OUTSIDE)
def outside(request: pytest.FixtureRequest, web: Web, settings: Settings) -> StandIn:
    found = stand_in_of(request.param)
    put_up(web, found, settings)
    return found


def everything(provider: Provider, cursor: str | None = None) -> list[ProviderRecord]:
    """The records of the month from the cursor on."""
    records: list[ProviderRecord] = []
    for _ in range(1_000):
        page = provider.fetch_month(MONTH, cursor)
        records.extend(page.records)
        cursor = page.next_cursor
        if cursor is None:
            return records
    raise AssertionError("The pages have no end.")


def test_the_providers_of_the_spec_are_there() -> None:
    assert {"stripe", "orb", "usage_feed", "demo"} <= set(NAMES)


def test_a_month_is_brought_whole_and_each_record_once(stand_in: StandIn, web: Web) -> None:
    found = [record.external_id for record in everything(stand_in.open(web.base))]
    assert found == list(stand_in.external_ids)
    assert len(set(found)) == len(found)


def test_asking_again_brings_the_same(stand_in: StandIn, web: Web) -> None:
    assert everything(stand_in.open(web.base)) == everything(stand_in.open(web.base))


def test_from_any_cursor_another_process_goes_on(stand_in: StandIn, web: Web) -> None:
    provider, cursor, seen = stand_in.open(web.base), None, 0
    while True:
        rest = [record.external_id for record in everything(stand_in.open(web.base), cursor)]
        assert rest == list(stand_in.external_ids[seen:])
        page = provider.fetch_month(MONTH, cursor)
        seen, cursor = seen + len(page.records), page.next_cursor
        if cursor is None:
            return


def test_records_are_what_they_must_be(stand_in: StandIn, web: Web) -> None:
    for record in everything(stand_in.open(web.base)):
        assert record.occurred_at.tzinfo is not None
        assert record.kind in RecordKind
        assert record.category in UsageCategory
        assert record.quantity is None or isinstance(record.quantity, Decimal)
        assert record.amount_minor is None or type(record.amount_minor) is int
        assert (record.amount_minor is None) == (record.currency == "")
        assert record.currency == "" or minor_digits(record.currency) >= 0


def test_nothing_of_the_key_is_in_what_comes_back(stand_in: StandIn, web: Web) -> None:
    provider = stand_in.open(web.base)
    outcome, records = provider.check(), everything(provider)
    assert KEY not in repr(outcome) + repr(records) + repr(provider) + repr(vars(provider))


def test_the_key_can_not_be_handed_over(outside: StandIn, web: Web) -> None:
    secret = outside.open(web.base)._secret
    assert KEY not in f"{secret!r} {secret}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_good_credential_is_told_what_it_reached(stand_in: StandIn, web: Web) -> None:
    assert stand_in.open(web.base).check().reached


def test_a_bad_credential_is_refused_at_once(outside: StandIn, web: Web) -> None:
    provider = outside.open(web.base, "another-key-than-the-right-one")
    for call in (provider.check, lambda: provider.fetch_month(MONTH)):
        web.asked.clear()
        with pytest.raises(ProviderError) as caught:
            call()
        assert caught.value.is_credential_invalid
        assert caught.value.is_permanent
        assert "another-key" not in caught.value.sentence
        assert len(web.asked) == 1


def test_without_a_credential_nothing_is_asked(outside: StandIn, web: Web) -> None:
    provider = type(outside.open(web.base))(None, outside.settings(web.base))
    with pytest.raises(ProviderError) as caught:
        provider.check()
    assert caught.value.is_credential_invalid
    assert web.asked == []


FAILURES: dict[str, tuple[Reply, bool, timedelta | None]] = {
    "limited": ((429, {"Retry-After": "120"}, b""), False, timedelta(minutes=2)),
    "limited, without a time": ((429, {}, b""), False, None),
    "down": ((503, {}, b"<html>"), False, None),
    "down, with a time": ((503, {"Retry-After": "60"}, b""), False, timedelta(minutes=1)),
    "broken": ((500, {}, b""), False, None),
    "gone": ((404, {}, b"{}"), True, None),
    "malformed": ((200, {}, b"<html>not JSON"), True, None),
    "another form": ((200, {}, b'{"surprise": [1, 2]}'), True, None),
    "a list": ((200, {}, b"[]"), True, None),
    "nested too deep": ((200, {}, b"[" * 100_000), True, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_says_whether_and_when_to_try_again(outside: StandIn, web: Web, failure: str) -> None:
    web.failing, is_permanent, retry_after = FAILURES[failure]
    with pytest.raises(ProviderError) as caught:
        outside.open(web.base).fetch_month(MONTH)
    assert (caught.value.is_permanent, caught.value.retry_after) == (is_permanent, retry_after)
    assert not caught.value.is_credential_invalid
    assert KEY not in str(caught.value)


def test_an_unknown_setting_is_refused(stand_in: StandIn, web: Web) -> None:
    cls = provider_classes()[stand_in.provider]
    with pytest.raises(ValidationError):
        cls(None, {**stand_in.settings(web.base), "surprise": True})


def test_a_stand_in_that_forgets_a_record_is_caught(web: Web, settings: Settings) -> None:
    """The control: the contract compares, and does not only count."""
    found = stand_in_of("usage_feed")
    put_up(web, found, settings)
    with pytest.raises(AssertionError):
        assert [record.external_id for record in everything(found.open(web.base))] == list(found.external_ids[1:])
