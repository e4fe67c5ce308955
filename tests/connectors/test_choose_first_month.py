"""From which month on a connector reads: chosen when it is made, changed later (spec 06, Month selection)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.contracts import Month
from apps.connectors.jobs import syncs_start
from apps.connectors.models import BillingRecord, Connector, ConnectorEvent, SyncRun
from apps.connectors.rules.months import (
    MOST_MONTHS_BACK,
    FirstMonthError,
    MonthNotBegunError,
    check_first_month,
    first_month_of,
    month_of,
)
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.sync.queue import month_decisions
from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import UnprocessableError
from apps.core.models import AuditEntry
from apps.core.moments import write_months
from apps.tenants.models import Workspace
from tests.connectors.cast import id_of, make_active_workspace
from tests.connectors.providers.test_usage_feed import STAND_IN
from tests.connectors.test_edit_connector import change, facts
from tests.connectors.test_onboard import create, nothing_was_stored, params
from tests.connectors.web import Web, put_up
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_product, make_signing_in_user, make_token
from tests.markup import Page

AUCKLAND = ZoneInfo("Pacific/Auckland")
# Where it is December in Auckland and November in London.
EVE = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def feed(web: Web, settings: Settings) -> Web:
    put_up(web, STAND_IN, settings)
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1", "localhost"]
    return web


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_active_workspace()


def now() -> Month:
    return month_of(clock.now(), UTC)


def make_record(connector: Connector, month: Month) -> None:
    now = clock.now()
    BillingRecord.objects.create(
        connector=connector,
        external_id="old",
        month=str(month),
        kind="usage",
        category="regular",
        occurred_at=now,
        raw={},
        digest=b"",
        seen_by=uuid.uuid4(),
        first_seen_at=now,
        changed_at=now,
    )


def months(connector: Connector) -> list[Month]:
    return [decision.month for decision in month_decisions(connector_of(id_of(connector)), clock.now())]


@pytest.mark.parametrize(
    ("month", "zone", "error"),
    [
        (Month(2026, 11), UTC, None),
        (Month(2026, 12), UTC, MonthNotBegunError),
        (Month(2026, 12), AUCKLAND, None),
        (Month(2027, 1), AUCKLAND, MonthNotBegunError),
        (Month(2021, 11), UTC, None),
        (Month(2021, 10), UTC, FirstMonthError),
        (Month(2021, 11), AUCKLAND, FirstMonthError),
    ],
    ids=str,
)
def test_a_first_month_is_neither_to_come_nor_more_than_five_years_ago(
    month: Month, zone: Any, error: type[ValueError] | None
) -> None:
    if error is None:
        check_first_month(month, EVE, zone)
        return
    with pytest.raises(error):
        check_first_month(month, EVE, zone)


def test_without_a_choice_it_is_13_months_before_the_one_it_was_made_in() -> None:
    assert first_month_of("", EVE, UTC) == Month(2025, 10)
    assert first_month_of("", EVE, AUCKLAND) == Month(2025, 11)
    assert first_month_of("2024-02", EVE, AUCKLAND) == Month(2024, 2)
    # No month lies before the years that we calculate with.
    assert first_month_of("", datetime(2001, 2, 1, tzinfo=UTC), UTC) == Month(2000, 1)
    assert first_month_of("", datetime(2001, 1, 31, tzinfo=UTC), UTC) == Month(2000, 1)


def test_it_reads_from_the_chosen_month_on_and_no_earlier_one(workspace: Workspace, feed: Web) -> None:
    assert months(create(workspace, params(feed)))[0] == now().shifted(-13)
    for back in (0, 2, MOST_MONTHS_BACK):
        first = now().shifted(-back)
        connector = create(workspace, params(feed, name=f"Back {back}", first_month=first))
        assert months(connector) == [first.shifted(step) for step in range(back + 1)]
        assert syncs_start(console_context(), id_of(connector)) == back + 1
        assert SyncRun.objects.filter(connector=connector, month__lt=str(first)).count() == 0


def test_what_can_not_be_the_first_month_stores_nothing_and_asks_nobody(workspace: Workspace, feed: Web) -> None:
    for first, code in ((now().shifted(1), "month_not_begun"), (now().shifted(-61), "month_too_old")):
        with pytest.raises(UnprocessableError) as caught:
            create(workspace, params(feed, first_month=first))
        assert [(error.field, error.code) for error in caught.value.errors] == [("first_month", code)]
    assert (nothing_was_stored(), feed.asked) == (True, [])


def test_the_database_takes_no_other_text(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed))
    for text in ("2026-13", "later", "26-01"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Connector.objects.filter(pk=connector.pk).update(first_month=text)


def test_an_earlier_month_is_read_at_once_and_a_later_one_keeps_what_was_read(
    workspace: Workspace, feed: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, woken = create(workspace, params(feed)), list[str]()
    monkeypatch.setattr(
        "apps.connectors.services.lifecycle.wake_after_commit", lambda task, *given: woken.append(given[0])
    )
    feed.asked.clear()
    earlier, later = now().shifted(-30), now().shifted(-1)
    change(connector, first_month=earlier)
    assert (months(connector)[0], woken, feed.asked) == (earlier, [str(connector.pk)], [])
    assert ConnectorEvent.objects.latest("pk").sentence == f"Reads from {earlier} on."
    entry = AuditEntry.objects.filter(event="connector.edited").latest("pk")
    assert (entry.before["first_month"], entry.after["first_month"]) == ("", str(earlier))
    make_record(connector, earlier)
    change(connector, first_month=later)
    assert (months(connector), len(woken)) == ([later, now()], 1)
    assert BillingRecord.objects.get().voided_at is None


def test_an_edit_refuses_what_can_not_be_and_leaves_what_was_chosen_long_ago(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed))
    before = facts(connector)
    for first in (now().shifted(1), now().shifted(-61)):
        with pytest.raises(UnprocessableError):
            change(connector, first_month=first)
    assert facts(connector) == before
    # What was chosen years ago stays as it is, whatever else is edited.
    Connector.objects.filter(pk=connector.pk).update(first_month=str(now().shifted(-80)))
    change(connector, name="Renamed", first_month=now().shifted(-80))
    assert (len(months(connector)), ConnectorEvent.objects.latest("pk").sentence) == (
        81,
        "Renamed from Feed to Renamed.",
    )


def test_a_product_chooses_it_by_the_api(workspace: Workspace, feed: Web) -> None:
    headers = {"Authorization": f"Bearer {make_token(make_product('red', workspace.organization))}"}

    def send(method: str, path: str, body: dict[str, Any]) -> Any:
        answer = Client().generic(method, path, json.dumps(body), "application/json", headers=headers)
        return answer.status_code, answer.json()

    body = {"provider": "usage_feed", "name": "Feed", "settings": STAND_IN.settings(feed.base)}
    everywhere, first = reverse("connectors", args=[workspace.pk]), str(now().shifted(-3))
    for wrong in ("soon", "auto", "2026-13"):
        status, problem = send("POST", everywhere, {**body, "first_month": wrong})
        assert (status, problem["errors"][0]["field"]) == (422, "first_month")
    assert nothing_was_stored()
    status, made = send("POST", everywhere, {**body, "first_month": first})
    assert (status, made["first_month"]) == (201, first)
    status, plain = send("POST", everywhere, {**body, "name": "Other"})
    assert (status, plain["first_month"]) == (201, str(now().shifted(-13)))
    status, changed = send("PATCH", reverse("connector", args=[made["id"]]), {"first_month": str(now())})
    assert (status, changed["first_month"], changed["name"]) == (200, str(now()), "Feed")


def test_a_person_chooses_it_on_the_page_and_reads_it_there(workspace: Workspace, feed: Web) -> None:
    user, client = make_signing_in_user(), Client()
    make_membership(workspace.organization, user, MembershipRole.ADMIN)
    client.force_login(user)
    new = reverse("billing-connector-new", args=[workspace.slug])
    form = client.get(f"{new}?provider=usage_feed").content.decode()
    assert f'<option value="{now().shifted(-13)}" selected>' in form
    assert (str(now().shifted(-60)) in form, str(now().shifted(-61)) in form, str(now().shifted(1)) in form) == (
        True,
        False,
        False,
    )
    connector = create(workspace, params(feed))
    edit = reverse("billing-connector-edit", args=[workspace.slug, connector.pk])
    typed = {"name": "Feed", "setting-base_url": STAND_IN.settings(feed.base)["base_url"], "setting-format": "json"}
    before = facts(connector)
    refused = client.post(edit, {**typed, "first_month": str(now().shifted(-99))})
    assert (refused.status_code, facts(connector)) == (422, before)
    assert "Choose one of the months in the list." in Page(refused.content.decode()).text
    first = now().shifted(-20)
    assert client.post(edit, {**typed, "first_month": str(first)}).status_code == 302
    page = Page(client.get(reverse("billing-connector", args=[workspace.slug, connector.pk])).content.decode())
    assert f"It reads from {write_months(str(first))} on" in page.text
    assert "Earlier months (7)" in page.text
    assert f'<option value="{first}" selected>' in client.get(edit).content.decode()
