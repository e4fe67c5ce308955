"""The Usage page and its file show what usage:query answers (spec 07, Pages)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.credits.services import credits_consume
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_workspace
from tests.reporting.lives import at

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)


class Visitor:
    """A viewer who opens the page of one workspace."""

    def __init__(self) -> None:
        with at(NOW - timedelta(days=100)):
            self.place: Place = make_place(whole_credits=10_000)
            self.space: Workspace = make_workspace(self.place.organization, "One")
            self.other = make_workspace(self.place.organization, "Other")
        user = make_signing_in_user()
        make_membership(self.place.organization, user, MembershipRole.VIEWER)
        self.client = Client()
        self.client.force_login(user)

    def open(self, query: str = "", name: str = "billing-usage") -> Any:
        with at(NOW):
            return self.client.get(f"{reverse(name, args=[self.space.slug])}?{query}")

    def text(self, query: str = "") -> str:
        return " ".join(self.open(query).content.decode().split())

    def use(self, days_ago: int, **values: Any) -> None:
        moment = NOW - timedelta(days=days_ago)
        with at(moment):
            credits_consume(self.place.context, consumption=consumption(self.place, occurred_at=moment, **values))


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor()


def test_each_operation_has_a_plot_and_its_table(visitor: Visitor) -> None:
    visitor.use(3, operation="unit", quantity=3_500_000, workspace_id=visitor.space.pk)
    visitor.use(3, operation="unit", quantity=90 * MICRO, workspace_id=visitor.other.pk)
    visitor.use(1, operation="unit", quantity=7 * MICRO)
    text = visitor.text()
    assert '<h2 id="plot-4">unit <small>Red · 3.5 credits charged</small></h2>' in text
    assert "<title>30 October 2026: 3.5 Regular</title>" in text
    assert '<th scope="row">30 October 2026</th><td class="number">3.5</td><td class="number">0</td>' in text
    assert text.count("Nothing was used in this time.") == 3
    assert "<title>week of 26 October 2026: 3.5 Regular</title>" in visitor.text("time_window=lastSixMonths")
    assert "<title>October 2026: 3.5 Regular</title>" in visitor.text("time_window=lastYear")
    whole = visitor.text("of=organization")
    assert "<title>30 October 2026: 93.5 Regular</title>" in whole
    for name, runs, charged in (("Not tied to a workspace", 1, 7), ("One", 1, "3.5"), ("Other", 1, 90)):
        places = f"{charged}" if "." in f"{charged}" else f"{charged}.0"
        row = f'<th scope="row">{name}</th><td class="number">{runs}</td><td class="number">{places}</td>'
        assert row in whole
        assert row not in text


def test_the_file_has_the_same_figures(visitor: Visitor) -> None:
    visitor.use(3, operation="unit", quantity=3_500_000, workspace_id=visitor.space.pk)
    answer = visitor.open("time_window=lastYear", "billing-usage-csv")
    assert isinstance(answer, StreamingHttpResponse)
    content = b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(content.removeprefix("\ufeff"))))
    used = [row for row in rows if row["regular"] != "0"]
    assert len(rows) == 4 * 12
    assert [(row["timeframe_start"], row["operation"], row["regular"], row["credits_charged"]) for row in used] == [
        ("2026-10-01", "unit", "3.5", "3.5")
    ]
    assert {row["timeframe_start"] for row in rows if row["partial"] == "yes"} == {"2026-11-01"}


@pytest.mark.parametrize("name", ["billing-usage", "billing-usage-csv"])
@pytest.mark.parametrize("query", ["time_window=lastWeek", "time_window=", "of=everybody"])
def test_a_window_or_scope_that_there_is_not_is_refused(visitor: Visitor, name: str, query: str) -> None:
    visitor.use(3, operation="unit", quantity=3_500_000, workspace_id=visitor.space.pk)
    answer = visitor.open(query, name)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose" in text
    assert "credits charged" not in text
    assert "Nothing was used" not in text


def test_what_was_spent_is_added_up_by_operation_product_workspace_and_timeframe(visitor: Visitor) -> None:
    visitor.use(3, operation="unit", quantity=1_200 * MICRO, workspace_id=visitor.space.pk)
    visitor.use(1, operation="unit", quantity=7 * MICRO)
    text = " ".join(visitor.text("time_window=lastYear&of=organization").split())
    assert "<small>1,207 credits in 2 runs, what was given back taken off</small>" in text
    assert '<th scope="row">unit <small>Red</small></th><td class="number">1,207' in text
    assert '<th scope="row">One</th><td class="number">1</td><td class="number">1,200</td>' in text
    assert '<th scope="row">Not tied to a workspace</th><td class="number">1</td><td class="number">7</td>' in text
    assert "<h3>By month</h3>" in text
    assert '<th scope="row">October 2026</th><td class="number">1</td><td class="number">1,200</td>' in text
    one = " ".join(visitor.text("time_window=lastYear").split())
    assert "<small>1,200 credits in 1 run, what was given back taken off</small>" in one
    assert "By workspace" not in one


def test_until_a_new_zone_is_rolled_up_the_page_says_which_it_shows(visitor: Visitor) -> None:
    with at(NOW):
        rollups_refresh(console_context())
    Organization.objects.filter(pk=visitor.place.organization.pk).update(time_zone="Asia/Kathmandu")
    assert "Days are still cut in UTC." in visitor.text()
    with at(NOW):
        rollups_refresh(console_context())
    assert "Days are still cut" not in visitor.text()
    assert "Days are those of Asia/Kathmandu" in visitor.text()


def test_the_page_asks_as_often_however_much_was_used(visitor: Visitor) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        visitor.open()
    for number in range(12):
        visitor.use(number, operation=("unit", "scan", "review")[number % 3], workspace_id=visitor.space.pk)
    with CaptureQueriesContext(connection) as many:
        visitor.open()
    assert len(many) == len(few)
