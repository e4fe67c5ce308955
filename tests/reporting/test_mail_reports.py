"""Who gets reports by mail, how one ends it, and what a refusing mailbox brings (spec 07, Daily report; RFC 8058)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole, Role
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.outbox_handlers import EMAIL_KIND, message_id
from apps.core.states import OutboxStatus
from apps.reporting.links import confirm_address, unsubscribe_address
from apps.reporting.models import DailyReport, ReportRecipient
from apps.reporting.rules.recipients import MOST_RECIPIENTS, RecipientStatus, status_when_added
from apps.reporting.services.daily_reports import daily_report_make
from apps.reporting.services.report_mails import SEND_REPORT
from apps.reporting.services.schedules import schedules_prepare
from apps.tenants.models import Membership, Organization, Workspace
from tests.backoffice.people import sign_in
from tests.contexts import console_context
from tests.credits.cast import make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_staff, make_user, make_workspace
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MORNING = datetime(2026, 11, 3, 2, tzinfo=UTC)


class House:
    """An organization with an admin who is at its page of recipients."""

    def __init__(self) -> None:
        with at(NOON):
            self.organization: Organization = make_place(whole_credits=100).organization
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


@pytest.mark.parametrize("is_member", [True, False])
@pytest.mark.parametrize("former", [None, *RecipientStatus])
def test_what_an_added_address_becomes(former: RecipientStatus | None, is_member: bool) -> None:
    found = status_when_added(is_member=is_member, former=former)
    agreed = former in {RecipientStatus.ACTIVE, RecipientStatus.PAUSED}
    may_begin = is_member and former is not RecipientStatus.UNSUBSCRIBED
    assert found is (RecipientStatus.ACTIVE if agreed or may_begin else RecipientStatus.WAITING)


def test_a_member_gets_the_report_with_its_headers_text_and_html(
    house: House, sent: list[EmailMultiAlternatives]
) -> None:
    recipient = house.add("admin@house.example")
    report = house.make_report()
    (item,) = OutboxItem.objects.filter(kind=SEND_REPORT)
    assert item.key == f"{report.pk}:{recipient.pk}"
    drain()
    (mail,) = sent
    assert mail.to == ["admin@house.example"]
    assert mail.extra_headers["Message-ID"] == message_id(item.key)
    assert mail.extra_headers["List-Unsubscribe"] == f"<{unsubscribe_address(recipient.pk)}>"
    assert mail.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html, kind = mail.alternatives[0]
    assert kind == "text/html"
    for body in (str(mail.body), str(html)):
        assert "Balance at the end of the day" in body
        assert "100 credits" in body
        assert "3 November 2026, 02:00 (UTC)" in body
        assert unsubscribe_address(recipient.pk) in body
    # Every link of the mail is whole: whoever reads it is on no page of ours.
    assert set(re.findall(r'href="([^"]{4})', str(html))) == {"http"}
    # A repeated try is the same message.
    OutboxItem.objects.filter(pk=item.pk).update(status=OutboxStatus.PENDING, finished_at=None)
    drain()
    assert sent[1].message().as_string().split("\n\n")[0].count(message_id(item.key)) == 1
    assert (sent[1].subject, sent[1].body) == (mail.subject, mail.body)


def test_another_mailbox_is_asked_first_and_agrees_by_a_button(
    house: House, sent: list[EmailMultiAlternatives]
) -> None:
    recipient = house.add("books@elsewhere.example")
    assert recipient.status == RecipientStatus.WAITING
    house.post(NOON + timedelta(minutes=5), email="books@elsewhere.example")
    assert OutboxItem.objects.filter(kind=EMAIL_KIND, key__startswith="report-recipient").count() == 1
    house.make_report()
    assert OutboxItem.objects.filter(kind=SEND_REPORT).count() == 0
    with at(NOON):
        path = path_of(confirm_address(recipient.pk, recipient.email))
    stranger = Client()
    with at(NOON + timedelta(days=1)):
        assert stranger.get(path).status_code == 200
        assert house.status("books@elsewhere.example") == RecipientStatus.WAITING
        assert stranger.post(path).status_code == 200
        assert stranger.post(path).status_code == 200
    assert house.status("books@elsewhere.example") == RecipientStatus.ACTIVE
    events = AuditEntry.objects.filter(event="report_recipient.changed", target_id=str(recipient.pk))
    assert [(entry.actor_label, entry.after["status"]) for entry in events] == [("books@elsewhere.example", "active")]


def test_a_link_that_is_old_changed_or_of_a_removed_address_confirms_nothing(house: House) -> None:
    recipient = house.add("books@elsewhere.example")
    with at(NOON):
        path = path_of(confirm_address(recipient.pk, recipient.email))
    with at(NOON + timedelta(days=8)):
        assert Client().post(path).status_code == 404
    with at(NOON):
        assert Client().post(path[:-3] + "x/").status_code == 404
        assert Client().post(path_of(confirm_address(recipient.pk, "other@elsewhere.example"))).status_code == 404
        assert house.status("books@elsewhere.example") == RecipientStatus.WAITING
        house.post(remove=str(recipient.pk))
        assert Client().post(path).status_code == 404
    assert ReportRecipient.objects.count() == 0


def test_one_click_ends_the_mails_without_signing_in_and_for_good(
    house: House, sent: list[EmailMultiAlternatives]
) -> None:
    recipient = house.add("admin@house.example")
    house.make_report()
    path = path_of(unsubscribe_address(recipient.pk))
    program = Client(enforce_csrf_checks=True)
    assert program.get(path).status_code == 200
    assert house.status("admin@house.example") == RecipientStatus.ACTIVE
    for _ in range(2):
        body = "List-Unsubscribe=One-Click"
        answer = program.post(path, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 200
    assert house.status("admin@house.example") == RecipientStatus.UNSUBSCRIBED
    # The mail that was waiting already does not leave either.
    drain()
    assert sent == []
    # An admin who adds a member again does not decide for them.
    house.post(email="admin@house.example")
    assert house.status("admin@house.example") == RecipientStatus.WAITING
    assert program.post(path[:-4] + "abc/").status_code == 404


def test_a_refusal_for_good_pauses_the_recipient_and_tells_the_other_admins(
    house: House, refusing: list[Exception]
) -> None:
    owner = make_user("owner@house.example")
    make_membership(house.organization, owner, MembershipRole.OWNER)
    house.add("admin@house.example")
    house.make_report()
    refusing.append(SMTPRecipientsRefused({"admin@house.example": (550, b"no such user")}))
    drain()
    recipient = ReportRecipient.objects.get(organization=house.organization)
    assert (recipient.status, recipient.note) == ("paused", "The mail server refuses the recipients (550).")
    (item,) = OutboxItem.objects.filter(kind=SEND_REPORT)
    assert item.status == OutboxStatus.DONE
    (told,) = OutboxItem.objects.filter(kind=EMAIL_KIND)
    assert told.payload["to"] == ["owner@house.example"]
    assert "admin@house.example" in told.payload["text"]
    # An admin resumes it on the page.
    house.post(email="admin@house.example")
    assert house.status("admin@house.example") == RecipientStatus.ACTIVE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SMTPRecipientsRefused({"admin@house.example": (450, b"grey list")}), OutboxStatus.PENDING),
        (SMTPDataError(451, b"later"), OutboxStatus.PENDING),
        (SMTPAuthenticationError(535, b"who are you"), OutboxStatus.PARKED),
        (ConnectionRefusedError(), OutboxStatus.PENDING),
    ],
    ids=["grey list", "later", "our password", "away"],
)
def test_what_is_not_the_mailboxs_refusal_pauses_nobody(
    house: House, refusing: list[Exception], error: Exception, status: OutboxStatus
) -> None:
    house.add("admin@house.example")
    house.make_report()
    refusing.append(error)
    drain()
    assert house.status("admin@house.example") == RecipientStatus.ACTIVE
    assert OutboxItem.objects.get(kind=SEND_REPORT).status == status


def test_who_left_the_organization_gets_nothing(house: House, sent: list[EmailMultiAlternatives]) -> None:
    member = make_user("member@house.example")
    make_membership(house.organization, member)
    house.add("member@house.example")
    house.add("admin@house.example")
    Membership.objects.filter(user=member).delete()
    house.make_report()
    drain()
    assert [mail.to for mail in sent] == [["admin@house.example"]]


@pytest.mark.parametrize(
    "address", ["", "no address", "a@b", "x" * 250 + "@house.example", "a@b.example\nBcc: c@d.example"]
)
def test_an_address_that_is_none_is_refused_in_words(house: House, address: str) -> None:
    entries, calls = AuditEntry.objects.count(), OutboxItem.objects.count()
    answer = house.post(email=address)
    assert answer.status_code == 422
    assert 'id="email-error"' in answer.content.decode()
    assert (ReportRecipient.objects.count(), AuditEntry.objects.count(), OutboxItem.objects.count()) == (
        0,
        entries,
        calls,
    )


def test_there_is_a_most_of_recipients(house: House) -> None:
    for number in range(MOST_RECIPIENTS):
        house.add(f"box{number}@elsewhere.example")
    assert house.post(email="one-more@elsewhere.example").status_code == 422
    assert house.post(remove="nobody").status_code == 422
    assert ReportRecipient.objects.count() == MOST_RECIPIENTS


def test_a_viewer_sets_no_recipients(house: House) -> None:
    viewer = make_signing_in_user("viewer@house.example")
    make_membership(house.organization, viewer, MembershipRole.VIEWER)
    client = Client()
    client.force_login(viewer)
    address = reverse("billing-report-recipients", args=[house.space.slug])
    assert client.post(address, {"email": "viewer@house.example"}).status_code == 403
    assert ReportRecipient.objects.count() == 0


def test_staff_subscribe_to_the_platforms_report_and_lose_it_with_their_role(
    sent: list[EmailMultiAlternatives],
) -> None:
    client, person = Client(), make_staff(Role.SUPPORT)
    sign_in(client, person)
    address = reverse("admin:report_mail")
    assert "You don" in client.get(address).content.decode()
    assert client.post(address).status_code == 200
    assert ReportRecipient.objects.count() == 0
    client.post(address, {"wanted": "yes"})
    assert f"{person.email} gets it" in client.get(address).content.decode()
    with at(NOON):
        schedules_prepare()
        from apps.reporting.models import ReportSchedule  # noqa: PLC0415

        schedule = ReportSchedule.objects.get(organization=None)
    with at(MORNING):
        daily_report_make(console_context(), schedule.pk)
        outbox_drain(console_context())
    assert [mail.to for mail in sent] == [[person.email]]
    assert "Audit chains" in str(sent[0].body)
    person.groups.clear()
    with at(MORNING + timedelta(days=1)):
        daily_report_make(console_context(), schedule.pk)
    assert OutboxItem.objects.filter(kind=SEND_REPORT).count() == 1
