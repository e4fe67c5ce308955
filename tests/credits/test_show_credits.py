"""The tenant's Credits page: figures that are the ledger's, every entry in words, pages and exports without a gap."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO, format_micro, show_micro
from apps.core.exports import harmless
from apps.credits import views
from apps.credits.chart import draw_charts
from apps.credits.enums import EntryKind, OnInsufficient
from apps.credits.models import CreditEntry
from apps.credits.rules.forecast import WINDOW_DAYS
from apps.credits.selectors.burn import days_of_burn
from apps.credits.services import credits_consume, overdraft_set
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.credits.history import live_a_month, make_old_place
from tests.factories.tenants import make_membership, make_product, make_user, make_workspace

pytestmark = pytest.mark.django_db

Page = Callable[..., str]


@pytest.fixture
def place() -> Place:
    return make_old_place()


@pytest.fixture
def workspace(place: Place) -> Workspace:
    return make_workspace(place.organization)


@pytest.fixture
def browser(place: Place) -> Client:
    viewer = make_user(name="Vera Vale")
    make_membership(place.organization, viewer)
    client = Client()
    client.force_login(viewer)
    return client


@pytest.fixture
def page(browser: Client, workspace: Workspace) -> Page:
    def get(status: int = 200, **query: str) -> str:
        answer = browser.get(reverse("billing-credits", args=[workspace.slug]), query)
        assert answer.status_code == status
        return answer.content.decode()

    return get


def test_an_account_without_anything_explains_itself(page: Page) -> None:
    text = page()
    assert "Nothing is available." in text
    assert "No grant has anything left." in text
    assert "No entries yet." in text
    assert "Nothing was spent in these days." in text


def test_what_will_expire_unused_is_told_before_it_does(page: Page, place: Place) -> None:
    live_a_month(place)
    assert "will expire unused" not in page()
    give(place, 5_000 * MICRO, priority=0, expires_at=clock.now() + timedelta(days=3))
    text = page()
    assert "Some credits will expire unused" in text
    assert "credits of the purchased grant of" in text


def test_the_plot_shows_what_the_ledger_says(place: Place) -> None:
    live_a_month(place)
    days = days_of_burn(place.organization.pk, now=clock.now(), zone=UTC, days=WINDOW_DAYS)
    spending = CreditEntry.objects.filter(kind__in=[EntryKind.CONSUMPTION, EntryKind.CAPTURE])
    assert sum(day.total for day in days) == -sum(spending.values_list("amount", flat=True))
    assert days[-1].balance == place.account.balance
    for day in days:
        last = CreditEntry.objects.filter(recorded_at__date__lte=day.day).order_by("-sequence").first()
        assert day.balance == (last.balance_after if last else 0)
    charts = draw_charts(days, {})
    assert [figures for _, figures in charts.balance.rows] == [[show_micro(day.balance)] for day in days]
    assert sum(
        Decimal(figure.replace(",", "")) for _, figures in charts.burn.rows for figure in figures
    ) * MICRO == sum(day.total for day in days)
    for drawing in charts.burn.drawings:
        assert [len(column.bars) for column in drawing.columns] == [len(day.by_product) for day in days]


@pytest.mark.slow
def test_each_kind_of_entry_in_words(place: Place, page: Page) -> None:
    user = make_user(name="Olivia Ortega")
    make_membership(place.organization, user)
    live_a_month(place, user_id=user.pk)
    text = " ".join(page(kind="grant").split())
    assert "900 credits granted (purchased)." in text
    assert "60 credits granted (purchased), valid until" in text
    text = " ".join(page().split())
    assert "Refund of 2.5 credits for fix run on" in text
    assert "5 credits removed by our billing team. Contact them for details." in text
    assert "agreed by phone" not in text
    assert "40 files of scan in Red. <small>Free.</small>" in text
    assert "Not charged: the run ended as failed." in text
    assert "by Olivia Ortega. <small>Paid from the purchased grant of" in text
    assert "of the purchased grant of" in " ".join(page(kind="expiry").split())
    assert 'Held for running work</dt><dd class="figure">5</dd>' in text


def test_a_debt_says_that_no_grant_covers_it(place: Place, page: Page) -> None:
    give(place, MICRO)
    credits_consume(place.context, consumption=consumption(place, on_insufficient=OnInsufficient.RECORD))
    text = " ".join(page().split())
    assert "Paid with 1 from the purchased grant of" in text
    assert "and 1.5 not yet covered by any grant." in text


def test_what_has_come_due_is_shown_as_it_is_now(place: Place, page: Page) -> None:
    give(place, 7 * MICRO, expires_at=clock.now() + timedelta(hours=1))
    # Within the session's life of twelve hours.
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
        text = " ".join(page().split())
    assert "7 credits of the purchased grant of" in text
    assert "Nothing is available." in text


def places_of(text: str) -> Iterator[str]:
    yield from (part.split("</span>")[1].strip() for part in text.split('<span class="chip">')[1:])


@pytest.mark.slow
def test_the_pages_together_are_all_entries_once(
    place: Place, browser: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_month(place)
    monkeypatch.setattr(views, "PAGE_SIZE", 7)
    found: list[int] = []
    before: int | None = None
    while True:
        query = {"before": str(before)} if before else {}
        facts = browser.get(reverse("billing-credits", args=[workspace.slug]), query).context
        found += [line.entry.sequence for line in facts["lines"]]
        before = facts["older_than"]
        if before is None:
            break
    assert found == list(range(CreditEntry.objects.count(), 0, -1))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"kind": "gift"}, "Choose one of the kinds in the list."),
        ({"product": "mauve"}, "Choose one of the products in the list."),
        ({"since": "yesterday"}, "Write the day like 2026-04-30."),
        ({"since": "2026-04-02", "until": "2026-04-01"}, "Choose a last day that is not before the first one."),
    ],
)
def test_a_filter_that_can_not_be_is_explained(page: Page, query: dict[str, str], sentence: str) -> None:
    assert sentence in page(422, **query)


@pytest.mark.parametrize("before", ["0", "-1", "9" * 18, "9" * 40, "abc", "１２"])  # noqa: RUF001
def test_any_place_is_answered(page: Page, before: str) -> None:
    page(before=before)


def exported(browser: Client, workspace: Workspace, **query: str) -> list[dict[str, str]]:
    answer = browser.get(reverse("billing-credits-csv", args=[workspace.slug]), query)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))


def test_the_export_is_the_ledger(place: Place, browser: Client, workspace: Workspace) -> None:
    live_a_month(place)
    rows = exported(browser, workspace)
    stored = CreditEntry.objects.order_by("-sequence").values_list("sequence", "amount", "balance_after")
    assert [(int(row["number"]), row["amount"], row["balance_after"]) for row in rows] == [
        (place_, format_micro(amount), format_micro(after)) for place_, amount, after in stored
    ]
    grants = exported(browser, workspace, kind="grant")
    assert {row["kind"] for row in grants} == {"grant"}
    assert len(grants) == 3


def test_a_run_can_not_bring_a_formula_into_a_spreadsheet(place: Place, browser: Client, workspace: Workspace) -> None:
    give(place, 10 * MICRO)
    credits_consume(place.context, consumption=consumption(place, run_id='=HYPERLINK("x")'))
    assert exported(browser, workspace)[0]["run_id"] == '\'=HYPERLINK("x")'
    assert [harmless(text) for text in ("+1", " -1", "@x", "\t=", "1", "a=b")] == [
        "'+1",
        "' -1",
        "'@x",
        "'\t=",
        "1",
        "a=b",
    ]


def test_the_queries_do_not_grow_with_the_rows(place: Place, browser: Client, workspace: Workspace) -> None:
    address = reverse("billing-credits", args=[workspace.slug])

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert browser.get(address).status_code == 200
        return len(seen)

    live_a_month(place, days=4)
    credits_consume(place.context, consumption=consumption(place))
    few = queries()
    for _ in range(30):
        credits_consume(place.context, consumption=consumption(place))
    assert queries() <= few


def test_another_organizations_credits_are_as_if_they_were_not(browser: Client) -> None:
    other = make_workspace(make_place("green").organization)
    for name in ("billing-credits", "billing-credits-csv"):
        assert browser.get(reverse(name, args=[other.slug])).status_code == 404


def test_the_sum_behind_what_is_available_is_told(place: Place, page: Page) -> None:
    give(place, 1_300 * MICRO)
    assert "Available:" not in page()
    overdraft_set(console_context(), account_id=place.organization.pk, limit=20 * MICRO, reason="agreed")
    assert "Available: 1,320 = balance 1,300 + overdraft 20." in page()


def test_a_filter_by_workspace_leaves_the_others_out(place: Place, page: Page, workspace: Workspace) -> None:
    give(place, 10 * MICRO)
    credits_consume(place.context, consumption=consumption(place, workspace_id=workspace.pk))
    credits_consume(place.context, consumption=consumption(place))
    assert page(workspace=str(workspace.pk)).count("of fix run in Red") == 1
    assert page(workspace="none").count("of fix run in Red") == 1
    assert page().count("of fix run in Red") == 2
    foreign = make_workspace(make_place("blue").organization)
    assert "Choose one of the workspaces in the list." in page(422, workspace=str(foreign.pk))


def test_only_the_products_that_the_organization_uses_are_offered(place: Place, page: Page) -> None:
    other = make_product("mauve")
    text = page()
    assert f'value="{place.product.pk}"' in text
    assert f'value="{other.pk}"' not in text
    assert f'value="{other.pk}" selected' in page(product=str(other.pk))


def test_the_file_names_units_people_and_workspaces_in_the_organizations_zone(
    place: Place, browser: Client, workspace: Workspace
) -> None:
    Organization.objects.filter(pk=place.organization.pk).update(time_zone="Asia/Tokyo")
    user = make_user(name="Olivia Ortega")
    make_membership(place.organization, user)
    give(place, 10 * MICRO)
    credits_consume(place.context, consumption=consumption(place, workspace_id=workspace.pk, user_id=user.pk))
    row = exported(browser, workspace)[0]
    entry = CreditEntry.objects.get(sequence=2)
    assert (row["acting_user"], row["workspace"], row["unit"]) == ("Olivia Ortega", workspace.name, "run")
    assert row["time_zone"] == "Asia/Tokyo"
    assert row["recorded_at"] == f"{entry.recorded_at.astimezone(ZoneInfo('Asia/Tokyo')):%Y-%m-%d %H:%M:%S}"
    answer = browser.get(reverse("billing-credits-csv", args=[workspace.slug]))
    assert isinstance(answer, StreamingHttpResponse)
    assert b"".join(answer).startswith(b"\xef\xbb\xbfnumber,")
