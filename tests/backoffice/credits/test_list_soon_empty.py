"""Staff list who runs out next: by the forecast of the customer's own page, kept by the hourly job."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.backoffice.duties.found import find_tasks
from apps.backoffice.duties.occurrences import is_put_away
from apps.backoffice.enums import TaskKind, TaskState
from apps.backoffice.models import TaskDecision
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.moments import zone_of
from apps.credits.models import CreditAccount
from apps.credits.rules.forecast import Forecast
from apps.credits.selectors.forecast import forecast_of
from apps.reporting.models import AccountRunway
from apps.reporting.services import rollups_refresh, runways_keep
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.credits.cast import Place, give, make_place
from tests.reporting.alerting import NOON, run, use
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db
DAY, DAYS = timedelta(days=1), 4
LIST = reverse("admin:credits_creditaccount_changelist")
END = NOON + (DAYS - 1) * DAY + timedelta(hours=1)


def live(pace: int, whole_credits: int, name: str) -> Place:
    """A customer that spends so many credits a day."""
    with at(NOON - DAY):
        place = make_place(name.lower(), whole_credits=whole_credits)
        Organization.objects.filter(pk=place.organization.pk).update(name=name)
    for day in range(DAYS):
        with at(NOON + day * DAY):
            use(place, pace)
    return place


@pytest.fixture
def places() -> dict[str, Place]:
    """Who runs out in about 3 and in about 20 days, who never does, and who was used up."""
    made = {
        name: live(pace, whole, name)
        for name, pace, whole in (("Later", 1, 24), ("Soon", 2, 14), ("Idle", 0, 5), ("Empty", 1, 4))
    }
    with at(END):
        rollups_refresh(console_context())
        runways_keep(console_context())
    return made


def shown(client: Client, **asked: str) -> list[str]:
    body = client.get(LIST, asked).content.decode()
    return [name for name in re.findall(r"<b>([^<]+)</b>|>(Later|Soon|Idle|Empty)<", body) for name in name if name]


def test_the_next_to_run_out_are_listed_first(places: dict[str, Place]) -> None:
    with at(END):
        client = client_of(Role.SUPPORT)
        names = [name for name in shown(client, runs_out_within="7") if name in places]
        assert list(dict.fromkeys(names)) == ["Empty", "Soon"]
        names = [name for name in shown(client, runs_out_within="60") if name in places]
        assert list(dict.fromkeys(names)) == ["Empty", "Soon", "Later"]
        for nonsense in ("-1", "x", "٣", "9" * 30, "1.5"):
            assert not [name for name in shown(client, runs_out_within=nonsense) if name in places]
        assert {name for name in shown(client) if name in places} == set(places)
        url = f"{LIST}export.csv?runs_out_within=7"
        answer: Any = client_of(Role.BILLING_OPERATIONS).get(url)
        file = b"".join(answer.streaming_content).decode()
        assert file.count("\n") == 3


def test_what_is_kept_is_the_forecast_of_the_customers_page(places: dict[str, Place]) -> None:
    for place in places.values():
        account = CreditAccount.objects.select_related("organization").get(pk=place.organization.pk)
        kept = AccountRunway.objects.get(account=account)
        told: Forecast = forecast_of(account, now=END, zone=zone_of(account.organization.time_zone))
        assert (kept.runs_out_at, kept.a_day) == (told.runs_out_at(END), told.a_day)
    assert Forecast(10**9, 1, 30).runs_out_at(END) is None


def test_only_what_moved_is_computed_again_and_what_spends_once_a_day(places: dict[str, Place]) -> None:
    with at(END + timedelta(hours=1)):
        assert runways_keep(console_context()) == 0
        give(places["Idle"], MICRO)
        assert run("refresh-figures")["forecasts"] == 1
        assert runways_keep(console_context()) == 0
    with at(END + DAY + timedelta(hours=1)):
        assert runways_keep(console_context()) == len(places) - 1


def test_an_index_serves_the_filter_and_its_order(places: dict[str, Place]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        rows = CreditAccount.objects.filter(runway__runs_out_at__lte=END + 7 * DAY)
        plan = json.loads(rows.order_by("runway__runs_out_at", "pk")[:50].explain(format="json"))

    def nodes(node: dict[str, Any]) -> list[str]:
        return [str(node.get("Index Name", "")), *(name for one in node.get("Plans", ()) for name in nodes(one))]

    assert "account_runway_soonest" in nodes(plan[0]["Plan"])


def test_the_overview_names_them_and_a_new_grant_asks_anew(places: dict[str, Place]) -> None:
    with at(END):
        assert "Credits run out" in client_of(Role.SUPPORT).get(reverse("admin:index")).content.decode()
        found = {task.organization_id: task for task in find_tasks(["credits.read"])}
        assert {task.kind for task in found.values()} == {TaskKind.SOON_EMPTY}
        said = {name: found[places[name].organization.pk].what for name in ("Empty", "Soon")}
        assert said["Empty"].startswith("Credits have run out, at ")
        assert said["Soon"].startswith("Credits run out in ")
        assert set(found) == {places[name].organization.pk for name in ("Empty", "Soon")}
        task = found[places["Soon"].organization.pk]
        put_away = TaskDecision(kind=task.kind, marker=task.marker, outcome=TaskState.DISMISSED)
        assert is_put_away(task, put_away)
        give(places["Soon"], MICRO)
        runways_keep(console_context())
        [again] = [one for one in find_tasks(["credits.read"]) if one.subject_id == task.subject_id]
        assert not is_put_away(again, put_away)
        assert clock.now() == END


def test_the_overview_names_who_has_nothing_left_although_nobody_calls(places: dict[str, Place]) -> None:
    empty = places["Empty"].organization.pk
    assert set(AccountRunway.objects.filter(is_empty=True).values_list("pk", flat=True)) == {empty}
    with at(END + 40 * DAY):
        rollups_refresh(console_context())
        runways_keep(console_context())
        [task] = find_tasks(["credits.read"])
        assert (task.kind, task.organization_id) == (TaskKind.OUT_OF_CREDITS, empty)
        assert task.what.startswith("The balance is 0")
        give(places["Empty"], MICRO)
        assert find_tasks(["credits.read"]) == []
        runways_keep(console_context())
        assert not AccountRunway.objects.filter(is_empty=True).exists()


def test_what_the_former_release_kept_is_looked_at_again(places: dict[str, Place]) -> None:
    AccountRunway.objects.update(is_empty=None)
    with at(END + timedelta(minutes=1)):
        assert runways_keep(console_context()) == len(places)
    assert AccountRunway.objects.filter(is_empty=True).count() == 1
