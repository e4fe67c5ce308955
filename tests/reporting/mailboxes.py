"""An organization whose admin sets who gets reports, the mails that leave, and a mail server that refuses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole
from apps.core.outbox import outbox_drain
from apps.reporting.models import DailyReport, ReportRecipient
from apps.reporting.services.daily_reports import daily_report_make
from apps.reporting.services.schedules import schedules_prepare
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_workspace
from tests.reporting.lives import at

DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MORNING = datetime(2026, 11, 3, 2, tzinfo=UTC)


class House:
    """An organization with an admin who is at its page of recipients."""

    def __init__(self) -> None:
        with at(NOON):
            self.place: Place = make_place(whole_credits=100)
            self.organization: Organization = self.place.organization
            self.space: Workspace = make_workspace(self.organization, "One")
            Organization.objects.filter(pk=self.organization.pk).update(created_at=NOON)
            self.admin = make_signing_in_user("admin@house.example")
            make_membership(self.organization, self.admin, MembershipRole.ADMIN)
            self.client = Client()
            self.client.force_login(self.admin)
            schedules_prepare(organization_id=self.organization.pk)

    def post(self, moment: datetime = NOON, **values: str) -> Any:
        with at(moment):
            return self.client.post(reverse("billing-report-recipients", args=[self.space.slug]), values)

    def add(self, email: str, moment: datetime = NOON) -> ReportRecipient:
        assert self.post(moment, email=email).status_code == 302
        return ReportRecipient.objects.get(organization=self.organization, email=email)

    def make_report(self) -> DailyReport:
        with at(MORNING):
            made = daily_report_make(console_context(), self.organization.report_schedule.pk)
        assert made is not None
        return made.report

    def status(self, email: str) -> str:
        return ReportRecipient.objects.get(organization=self.organization, email=email).status


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[EmailMultiAlternatives]:
    """The mails that left."""
    mails: list[EmailMultiAlternatives] = []

    def send(mail: EmailMultiAlternatives) -> None:
        mails.append(mail)

    monkeypatch.setattr(EmailMultiAlternatives, "send", send)
    return mails


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Raised by the mail server, one after the other."""
    errors: list[Exception] = []

    def refuse(mail: EmailMultiAlternatives) -> None:
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(EmailMultiAlternatives, "send", refuse)
    return errors


def drain() -> None:
    with at(MORNING + timedelta(hours=1)):
        outbox_drain(console_context())


def path_of(address: str) -> str:
    return re.sub(r"^https?://[^/]+", "", address)
