"""Who of the members gets which mails: the rule, the choice of admins, and the mails themselves (spec 08, Settings)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId
from apps.core.mails import Mail, mail_payload
from apps.core.models import AuditEntry, OutboxItem
from apps.payments.config_handlers import notify_grace_started
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models import Membership, NoticeChoice, User, Workspace
from apps.tenants.notice_rules import AUDIENCES, MOST_CHOSEN, Reader, readers_of
from apps.tenants.selectors.notices import notice_emails, notices_address
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_signing_in_user, make_user, make_workspace
from tests.subscriptions.cast import make_plan

PEOPLE = [
    Reader(UUID(int=number), f"{name}@example.com", role)
    for number, (name, role) in enumerate(
        [("olivia", MembershipRole.OWNER), ("adam", MembershipRole.ADMIN), ("mia", MembershipRole.MEMBER)]
    )
]
CHOICES = [(), (UUID(int=2),), (UUID(int=1), UUID(int=2)), (UUID(int=99),)]


@pytest.mark.parametrize(("audience", "chosen"), list(itertools.product(NoticeAudience, CHOICES)))
def test_role_and_choice_add_up_and_somebody_always_gets_it(audience: NoticeAudience, chosen: tuple[UUID, ...]) -> None:
    by_role = {NoticeAudience.OWNERS: {0}, NoticeAudience.ADMINS: {0, 1}, NoticeAudience.CHOSEN: set[int]()}[audience]
    wanted = by_role | {person.user_id.int for person in PEOPLE if person.user_id in chosen}
    found = readers_of(audience, chosen, PEOPLE)
    assert {person.user_id.int for person in found} == (wanted or {0})
    assert [person.email for person in found] == sorted(person.email for person in found)


@pytest.mark.parametrize("audience", AUDIENCES[NoticeKind.PAYMENTS])
def test_owners_get_mails_about_payments_whatever_can_be_chosen(audience: NoticeAudience) -> None:
    assert PEOPLE[0] in readers_of(audience, (), PEOPLE)


class Cast:
    """An organization with an owner, an admin and a member, seen by its admin."""

    def __init__(self) -> None:
        make_plan()
        self.organization = make_organization("Northwind")
        self.workspace: Workspace = make_workspace(self.organization)
        self.owner, self.admin, self.member = make_user(), make_signing_in_user(), make_user()
        for user, role in (
            (self.owner, MembershipRole.OWNER),
            (self.admin, MembershipRole.ADMIN),
            (self.member, MembershipRole.MEMBER),
        ):
            make_membership(self.organization, user, role)
        self.client = Client()
        self.client.force_login(self.admin)
        self.path = reverse("billing-notices", args=[self.workspace.slug])

    def emails(self, kind: NoticeKind) -> list[str]:
        return notice_emails(OrganizationId(self.organization.pk), kind)

    def entries(self) -> int:
        return AuditEntry.objects.filter(event="organization.notices_changed").count()


@pytest.fixture(scope="module")
def lasting_cast(lasting_db: None) -> Cast:
    return Cast()


@pytest.fixture
def people(lasting_cast: Cast, db: None) -> Cast:
    return lasting_cast


def test_without_a_choice_owners_get_the_ones_and_admins_too_the_others(people: Cast) -> None:
    assert people.emails(NoticeKind.PAYMENTS) == [people.owner.email]
    assert people.emails(NoticeKind.CONNECTORS) == sorted([people.owner.email, people.admin.email])


def test_an_admin_chooses_a_member_and_takes_them_off_again(people: Cast) -> None:
    sent = {"kind": "payments", "audience": "owners", "email": people.member.email.upper()}
    assert people.client.post(people.path, sent).status_code == 302
    assert people.emails(NoticeKind.PAYMENTS) == sorted([people.owner.email, people.member.email])
    assert people.emails(NoticeKind.CONNECTORS) == sorted([people.owner.email, people.admin.email])
    assert people.member.email in people.client.get(people.path).content.decode()
    entry = AuditEntry.objects.filter(event="organization.notices_changed").get()
    assert (entry.actor_label, entry.after["members"]) == (people.admin.email, [str(people.member.pk)])
    people.client.post(people.path, {"kind": "payments", "audience": "owners", "keep": [str(people.member.pk)]})
    assert people.entries() == 1
    people.client.post(people.path, {"kind": "payments", "audience": "owners"})
    assert people.emails(NoticeKind.PAYMENTS) == [people.owner.email]
    assert people.entries() == 2


def test_connectors_can_be_one_members_alone_until_they_leave(people: Cast) -> None:
    sent = {"kind": "connectors", "audience": "chosen", "email": people.member.email}
    assert people.client.post(people.path, sent).status_code == 302
    assert people.emails(NoticeKind.CONNECTORS) == [people.member.email]
    User.objects.filter(pk=people.member.pk).update(is_active=False)
    assert people.emails(NoticeKind.CONNECTORS) == [people.owner.email]
    User.objects.filter(pk=people.member.pk).update(is_active=True)
    Membership.objects.filter(user=people.member).delete()
    assert people.emails(NoticeKind.CONNECTORS) == [people.owner.email]
    assert people.client.get(people.path).status_code == 200


STRANGER = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"kind": "payments", "audience": "chosen"}, "Owners always get mails about payments"),
        ({"kind": "payments", "audience": "owners", "email": "no@example.com"}, "No member has this address"),
        ({"kind": "payments", "audience": "owners", "keep": STRANGER}, "Choose among the members"),
        ({"kind": "payments", "audience": "everybody"}, "Choose one of the list."),
        ({"kind": "news", "audience": "owners"}, "Choose one of the list."),
        ({}, "Choose one of the list."),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(people: Cast, sent: dict[str, str], sentence: str) -> None:
    answer = people.client.post(people.path, sent)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not NoticeChoice.objects.exists()
    assert people.entries() == 0


def test_more_than_a_mailbox_bears_is_refused(people: Cast) -> None:
    users = [make_user() for _ in range(MOST_CHOSEN + 1)]
    for user in users:
        make_membership(people.organization, user)
    sent = {"kind": "payments", "audience": "owners", "keep": [str(user.pk) for user in users]}
    assert people.client.post(people.path, sent).status_code == 422
    assert not NoticeChoice.objects.exists()


def test_the_database_keeps_the_owners(people: Cast) -> None:
    choice = {"organization": people.organization, "kind": NoticeKind.PAYMENTS}
    with pytest.raises(IntegrityError), transaction.atomic():
        NoticeChoice.objects.create(**choice, audience=NoticeAudience.CHOSEN)
    with pytest.raises(IntegrityError), transaction.atomic():
        NoticeChoice.objects.create(organization=people.organization, kind="news", audience=NoticeAudience.OWNERS)


def test_a_mail_links_to_the_choice_in_both_forms(people: Cast) -> None:
    address = notices_address(OrganizationId(people.organization.pk))
    assert address.endswith(people.path)
    payload = mail_payload(Mail("s", ["Hello,"], "https://x", "Open", choose_url=address), to=["a@example.com"])
    assert f"Choose who gets these mails:\n{address}" in payload["text"]
    assert f'<a href="{address}">Choose who gets these mails</a>' in payload["html"]
    without = mail_payload(Mail("s", ["Hello,"], "https://x", "Open"), to=["a@example.com"])
    assert "Choose who" not in f"{without['text']}{without['html']}"
    assert notices_address(OrganizationId(make_organization("No pages").pk)) == ""


def test_the_mail_about_a_failed_payment_goes_where_it_was_chosen(people: Cast) -> None:
    people.client.post(people.path, {"kind": "payments", "audience": "owners", "email": people.member.email})
    config = OrganizationPaymentConfig.objects.get(organization=people.organization)
    config.grace_period_end_at = clock.now() + timedelta(days=7)
    with transaction.atomic():
        notify_grace_started(console_context(OrganizationId(people.organization.pk)), config)
    payload = OutboxItem.objects.filter(kind="email.send").latest("created_at").payload
    assert payload["to"] == sorted([people.owner.email, people.member.email])
    assert people.path in payload["text"]
