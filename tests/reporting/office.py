"""An organization whose daily reports go to a tab of its spreadsheet at Google."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.enums import ConnectorStatus, CredentialKind
from apps.connectors.models import Connector
from apps.connectors.oauth.client import OAuthToken
from apps.connectors.providers.google_sheets import GoogleSheetsProvider
from apps.connectors.services.credentials import credential_write
from apps.core import clock
from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.reporting.models import DailyReport, ReportSheet
from apps.reporting.services.daily_reports import daily_report_make
from tests.connectors.cast import id_of, make_connector
from tests.connectors.providers.stand_in import StandIn, reply
from tests.connectors.web import Web, put_up
from tests.contexts import console_context
from tests.reporting.google_sheet import ACCESS_TOKEN, SPREADSHEET, GoogleSheet, day_of
from tests.reporting.lives import at
from tests.reporting.mailboxes import MORNING, NOON, House

_DAY = timedelta(days=1)


class Office:
    """An organization whose reports go to a tab of its spreadsheet."""

    def __init__(self, house: House, web: Web, settings: Settings) -> None:
        self.house, self.sheet, self.now = house, GoogleSheet(), MORNING
        settings.GOOGLE_CLIENT_ID = "countinghouse-test"
        header = ("authorization", f"Bearer {ACCESS_TOKEN}")
        stand_in = StandIn("google_sheets", (), self.sheet.answer, base_setting="GOOGLE_API_BASE", key_header=header)
        put_up(web, stand_in, settings)
        self.connector = make_connector(house.space, ConnectorStatus.ENABLED, "google_sheets")
        Connector.objects.filter(pk=self.connector.pk).update(
            settings={"spreadsheet_id": SPREADSHEET, "sheet": "Usage"}
        )
        self.authorize(*GoogleSheetsProvider.oauth_scopes, *GoogleSheetsProvider.write_scopes)

    def authorize(self, *scopes: str) -> None:
        token = OAuthToken(ACCESS_TOKEN, "refresh", " ".join(scopes), clock.real_now() + timedelta(days=900))
        credential_write(connector_id=id_of(self.connector), kind=CredentialKind.OAUTH, text=token.to_text())

    def post(self, **values: str) -> Any:
        # In the hour of the sign-in, as a session ends by itself.
        return self.house.post(NOON, **values)

    def choose(self, tab: str = "Daily reports") -> Any:
        return self.post(sheet="choose", connector=str(self.connector.pk), tab=tab)

    def report(self) -> DailyReport:
        """The next day's report, made and written."""
        with at(self.now):
            made = daily_report_make(console_context(), self.house.organization.report_schedule.pk)
        assert made is not None
        self.house.organization.report_schedule.refresh_from_db()
        self.now += _DAY
        return made.report

    def drain(self) -> None:
        with at(self.now):
            OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at=clock.real_now())
            outbox_drain(console_context())

    def days(self) -> list[date]:
        return [day_of(row["Date"]) for row in self.sheet.rows()]

    def break_by(self, what: str, web: Web) -> None:
        """Make it impossible to write."""
        tabs, connectors = self.sheet.tabs, Connector.objects.filter(pk=self.connector.pk)
        names = tabs["Daily reports"][0]
        if what == "rename":
            tabs["Renamed"] = tabs.pop("Daily reports")
        elif what == "delete":
            del tabs["Daily reports"]
        elif what == "column":
            names[names.index("Credits left")] = "Rest"
        elif what == "twice":
            names.append("credits LEFT")
        elif what == "removed":
            connectors.update(status=ConnectorStatus.DISABLED, removed_at=clock.now())
        elif what == "disabled":
            connectors.update(status=ConnectorStatus.DISABLED)
        else:
            web.failing = reply({}, int(what))

    def mend(self, web: Web, whole: dict[str, list[list[Any]]]) -> None:
        """Make it possible again, with the tabs as they were."""
        self.sheet.tabs.clear()
        self.sheet.tabs.update(whole)
        web.failing = None
        Connector.objects.filter(pk=self.connector.pk).update(removed_at=None)
        Connector.objects.filter(pk=self.connector.pk).update(status=ConnectorStatus.ENABLED)

    @property
    def target(self) -> ReportSheet:
        return ReportSheet.objects.get(organization=self.house.organization)

    def page(self) -> str:
        address = reverse("billing-report-recipients", args=[self.house.space.slug])
        with at(NOON):
            return str(self.house.client.get(address).content.decode())


@pytest.fixture
def office(house: House, web: Web, settings: Settings) -> Office:
    return Office(house, web, settings)
