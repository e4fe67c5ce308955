"""Reports leave by mail, one click ends it, and what a refusing mailbox brings (spec 07, Daily report; RFC 8058)."""

from __future__ import annotations

import re
from datetime import timedelta
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPRecipientsRefused

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole, Role
from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.outbox_handlers import EMAIL_KIND, message_id
from apps.core.states import OutboxStatus
from apps.reporting.links import unsubscribe_address
from apps.reporting.models import ReportRecipient
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services.daily_reports import daily_report_make
from apps.reporting.services.report_mails import SEND_REPORT
from apps.reporting.services.schedules import schedules_prepare
from apps.tenants.models import Membership
from tests.backoffice.people import sign_in
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_staff, make_user
from tests.reporting.lives import at
from tests.reporting.mailboxes import MORNING, NOON, House, drain, path_of

pytestmark = pytest.mark.django_db


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
