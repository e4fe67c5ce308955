"""An admin sets who gets reports by mail; other mailboxes agree first (spec 07, Daily report)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox_handlers import EMAIL_KIND
from apps.reporting.links import confirm_address
from apps.reporting.models import ReportRecipient
from apps.reporting.rules.recipients import MOST_RECIPIENTS, RecipientStatus, status_when_added
from apps.reporting.services.report_mails import SEND_REPORT
from tests.factories.tenants import make_membership, make_signing_in_user
from tests.reporting.lives import at
from tests.reporting.mailboxes import NOON, House, path_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_member", [True, False])
@pytest.mark.parametrize("former", [None, *RecipientStatus])
def test_what_an_added_address_becomes(former: RecipientStatus | None, is_member: bool) -> None:
    found = status_when_added(is_member=is_member, former=former)
    agreed = former in {RecipientStatus.ACTIVE, RecipientStatus.PAUSED}
    may_begin = is_member and former is not RecipientStatus.UNSUBSCRIBED
    assert found is (RecipientStatus.ACTIVE if agreed or may_begin else RecipientStatus.WAITING)


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


@pytest.mark.slow
def test_there_is_a_most_of_recipients(house: House) -> None:
    assert MOST_RECIPIENTS == 20
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
