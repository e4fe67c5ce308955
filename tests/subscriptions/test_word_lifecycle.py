"""Every decision has words: what holds, why, what helps; and no free text of staff among them (spec 08)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from apps.core.enums import LifecycleNeed, LifecycleState
from apps.subscriptions import commercial_facts, messages
from apps.subscriptions.enums import (
    ManagedBy,
    PaymentStatus,
    SubscriptionState,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.messages import banner_of, days_from, words_of
from apps.subscriptions.rules.lifecycle import ALLOWED, Allowance, is_sold_to_others, resolve
from tests.subscriptions.test_resolve_lifecycle import NOW, every_combination

UNKNOWN = "This follows from your current status."


def test_every_combination_of_facts_has_a_cause_and_a_remedy_in_words() -> None:
    seen = set()
    for facts in every_combination():
        words = words_of(facts, resolve(facts), zone=UTC)
        seen.add(words.state.label)
        assert words.remedy.endswith(".")
        assert words.why
        assert all(sentence.endswith(".") and sentence != UNKNOWN for sentence in words.why)
    assert len(seen) == len(LifecycleState)


def test_what_is_sold_for_other_workspaces_is_told_as_such() -> None:
    for facts in every_combination():
        decision = resolve(facts)
        told = "for other workspaces, not for this one" in " ".join(words_of(facts, decision, zone=UTC).why)
        assert told is (is_sold_to_others(facts) and decision.trace[-2].rule == "subscription_status")


def test_a_banner_stands_exactly_where_something_is_restricted() -> None:
    for facts in every_combination():
        decision = resolve(facts)
        restricts = set(ALLOWED[decision.state].values()) != {Allowance.YES}
        banner = banner_of(facts, decision, zone=UTC)
        assert (banner is not None) is restricts
        if banner is not None:
            assert banner.title
            assert banner.why.endswith(".")
            assert banner.remedy.endswith(".")


def test_the_reason_that_staff_wrote_is_not_told_to_tenants() -> None:
    for facts in every_combination():
        secret = replace(facts, overlay_reason="they owe us and lie about it" if facts.overlay else "")
        decision = resolve(secret)
        assert "lie about it" not in " ".join(words_of(secret, decision, zone=UTC).why)


def test_every_word_of_every_enumeration_has_its_words() -> None:
    assert set(messages.STATE_WORDS) == set(LifecycleState)
    assert set(messages._SUBSCRIPTIONS) == set(SubscriptionState)
    assert set(messages._SUBSCRIPTION_STATUSES) == set(SubscriptionStatus)
    assert set(messages.NEED_WORDS) == set(LifecycleNeed) - {LifecycleNeed.NOTHING}
    assert set(messages.ALLOWANCE_WORDS) == set(Allowance)
    assert set(commercial_facts._PAYMENTS) == set(PaymentStatus)
    assert set(commercial_facts._OVERRIDES) == {"", *UsageCategoryOverride}
    assert set(commercial_facts._MANAGERS) == set(ManagedBy)


def test_a_grace_period_tells_its_days_left() -> None:
    facts = next(facts for facts in every_combination() if facts.payment_status.value == "grace_period")
    for days, words in ((3, "in 3 days"), (1, "tomorrow"), (0, "today"), (-2, "ended on")):
        moved = replace(facts, grace_period_end_at=NOW + timedelta(days=days))
        assert words in messages._grace(moved, UTC).why


@pytest.mark.parametrize(
    ("zone", "moment", "words"),
    [
        ("UTC", datetime(2026, 4, 3, 23, 59, tzinfo=UTC), "today"),
        ("UTC", datetime(2026, 4, 4, 0, 0, tzinfo=UTC), "tomorrow"),
        ("Asia/Tokyo", datetime(2026, 4, 3, 15, 0, tzinfo=UTC), "tomorrow"),
        ("America/New_York", datetime(2026, 4, 4, 3, 59, tzinfo=UTC), "today"),
        ("Pacific/Kiritimati", datetime(2026, 4, 3, 10, 0, tzinfo=UTC), "today"),
        ("UTC", datetime(2026, 4, 2, 23, 59, tzinfo=UTC), "yesterday"),
        ("UTC", datetime(2026, 3, 3, 12, 0, tzinfo=UTC), "31 days ago"),
        ("UTC", datetime(2027, 4, 3, 12, 0, tzinfo=UTC), "in 365 days"),
    ],
)
def test_days_are_those_of_the_calendar_in_the_organizations_zone(zone: str, moment: datetime, words: str) -> None:
    assert days_from(NOW, moment, ZoneInfo(zone)) == words
