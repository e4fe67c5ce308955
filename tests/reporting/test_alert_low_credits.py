"""People are told once that credits run low: by the balance each minute, by the runway each hour (spec 07)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.amounts import MICRO
from apps.core.models import OutboxItem
from apps.core.states import OutboxStatus
from apps.credits.enums import GrantType
from apps.credits.services import credit_grant
from apps.credits.services.grants import GrantParams
from apps.reporting.models import AlertSettings, ReportRecipient
from apps.reporting.rules.alerts import Audience
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services import alert_mails, rollups_refresh
from tests.contexts import console_context
from tests.credits.cast import give, make_place
from tests.reporting.alerting import (
    HALF,
    NOON,
    choose,
    everything,
    mailed,
    make,
    make_other,
    run,
    standing,
    told,
    use,
)
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db


def test_each_account_begins_with_the_usual_alerts_and_what_is_low_already_is_no_news() -> None:
    place = make(0)
    assert standing(place) == {"percent 20": (None, 0), "days 7": (None, 0), "credits 0": (True, 0)}
    assert (mailed(), AlertSettings.objects.get().is_chosen) == ([], False)


def test_a_crossing_is_mailed_once_to_owners_and_admins_until_it_was_above_by_a_tenth() -> None:
    place = make()
    choose(place, HALF)
    use(place, 4)
    assert (run()["told"], mailed()) == (0, [])
    use(place, 1)
    assert run()["told"] == 1
    assert [address for address, _ in mailed()] == ["admin@low.example", "owner@low.example"]
    use(place, 1)
    give(place, MICRO + MICRO // 4)
    assert (run()["told"], len(mailed()), standing(place)) == (0, 2, {"credits 5": (True, 1)})
    give(place, MICRO // 4)
    assert (run()["told"], told("balance.recovered"), standing(place)) == (0, 1, {"credits 5": (False, 1)})
    use(place, 1)
    assert (run()["told"], len(mailed()), told("balance.low")) == (1, 4, 2)


def test_a_rise_and_fall_between_two_looks_is_a_crossing() -> None:
    place = make()
    choose(place, HALF)
    use(place, 5)
    run()
    give(place, 3 * MICRO)
    use(place, 3)
    assert (run()["told"], standing(place)) == (1, {"credits 5": (True, 2)})


def test_the_end_is_told_in_one_mail_with_what_was_crossed_on_the_way() -> None:
    place = make()
    assert standing(place)["percent 20"] == (False, 0)
    use(place, 10)
    run()
    assert (standing(place)["percent 20"], standing(place)["credits 0"]) == ((True, 1), (True, 1))
    assert {subject for _, subject in mailed()} == {"Your credits are used up"}
    assert (len(mailed()), told("balance.low"), told("balance.exhausted")) == (2, 1, 1)


def test_the_percentage_is_of_the_last_purchase() -> None:
    place = make(0)
    bonus = GrantParams(grant_type=GrantType.BONUS, amount=10 * MICRO)
    credit_grant(place.context, key="bonus", account=place.ref, params=bonus)
    run()
    assert standing(place) == {"percent 20": (None, 0), "days 7": (None, 0), "credits 0": (False, 0)}
    give(place, 5 * MICRO)
    run()
    use(place, 13)
    assert run()["told"] == 0
    use(place, 1)
    assert (run()["told"], {subject for _, subject in mailed()}) == (1, {"Your credits run low"})


@pytest.mark.parametrize("stops_at", ["audit", "mails"])
def test_whoever_dies_between_state_and_mail_has_written_neither(
    stops_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make()
    choose(place, HALF)
    use(place, 5)
    before = everything()

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(alert_mails, {"audit": "audit_append", "mails": "outbox_enqueue"}[stops_at], die)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert (everything(), mailed()) == (before, [])
    assert (run()["told"], len(mailed())) == (1, 2)
    assert (run()["told"], len(mailed())) == (0, 2)


def test_the_mails_of_a_demo_are_kept_and_not_sent() -> None:
    use(make_other(is_demo=True), 10)
    assert run()["moved"] == 0
    assert run(include_demo=True)["told"] == 1
    items = OutboxItem.objects.filter(key__startswith="balance-alert:")
    assert {item.status for item in items} == {OutboxStatus.SUPPRESSED}


def test_nothing_follows_for_a_synthetic_organization() -> None:
    place = make_other(is_synthetic=True)
    assert not AlertSettings.objects.exists()
    choose(place, HALF)
    use(place, 10)
    assert (run(include_demo=True)["moved"], mailed(), told("balance.low")) == (0, [], 0)


def test_report_recipients_are_told_each_with_the_link_that_ends_it() -> None:
    place = make()
    ReportRecipient.objects.create(
        organization=place.organization,
        email="books@elsewhere.example",
        status=RecipientStatus.ACTIVE,
        changed_at=NOON,
        created_at=NOON,
    )
    choose(place, HALF, audience=Audience.REPORT_RECIPIENTS)
    use(place, 5)
    run()
    item = OutboxItem.objects.get(key__startswith="balance-alert:")
    assert item.payload["to"] == ["books@elsewhere.example"]
    assert item.payload["headers"]["List-Unsubscribe"].strip("<>") in item.payload["text"]
    ReportRecipient.objects.update(status=RecipientStatus.UNSUBSCRIBED)
    give(place, MICRO)
    use(place, 1)
    run()
    assert [address for address, _ in mailed()] == [
        "admin@low.example",
        "books@elsewhere.example",
        "owner@low.example",
    ]


def test_the_runway_is_judged_when_its_look_is_due() -> None:
    with at(NOON):
        place = make(200)
        assert run("balance-alerts") == {"due": 1, "told": 0}
        assert run("balance-alerts")["due"] == 0
    for day in range(4):
        with at(NOON + timedelta(days=day)):
            use(place, 10)
    with at(NOON + timedelta(days=4)):
        rollups_refresh(console_context())
        run()
        assert run("balance-alerts") == {"due": 1, "told": 0}
        assert standing(place)["days 7"] == (False, 0)
        use(place, 120)
    with at(NOON + timedelta(days=4, hours=6)):
        rollups_refresh(console_context())
        assert run("balance-alerts") == {"due": 1, "told": 1}
        assert run("balance-alerts") == {"due": 0, "told": 0}
        mail = OutboxItem.objects.filter(key__startswith="balance-alert:")[0]
        assert "which last for about 1 day at" in mail.payload["text"]
    with at(NOON + timedelta(days=4, hours=7)):
        assert run("balance-alerts") == {"due": 1, "told": 0}
    assert standing(place)["days 7"] == (True, 1)


@pytest.mark.parametrize(("name", "statements"), [("follow-balances", 2), ("balance-alerts", 1)])
def test_where_nothing_happened_the_number_of_statements_is_constant(name: str, statements: int) -> None:
    for slug in ("red", "blue", "green"):
        make_place(slug, whole_credits=1)
        run()
        run("balance-alerts")
        with CaptureQueriesContext(
            connection,
        ) as seen:
            run(name)
        assert len(seen) == statements


def test_a_list_of_accounts_costs_the_same_for_one_and_for_many() -> None:
    costs = []
    places = [make_place(slug, whole_credits=9) for slug in ("red", "blue", "green", "black")]
    run()
    for some in (places[:1], places):
        for place in some:
            use(place, 1)
        with CaptureQueriesContext(connection) as seen:
            assert run()["moved"] == len(some)
        costs.append(len(seen))
    assert costs[0] == costs[1]
