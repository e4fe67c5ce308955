"""Connectors stop while an organization has no credits, where it asked for that, and start again (spec 04)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole, Role
from apps.core.errors import ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.jobs import job_of
from apps.core.models import AuditEntry, OutboxItem
from apps.credits.services import credits_consume
from apps.payments.models import CreditStop
from apps.payments.services import credit_stop_change
from tests.connectors.cast import make_connector
from tests.contexts import console_context, product_context, staff_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_signing_in_user,
    make_user,
    make_workspace,
)
from tests.markup import Page

pytestmark = pytest.mark.django_db(transaction=True)


def follow() -> dict[str, int]:
    job = job_of("track-credits")
    assert job is not None
    return job.run(console_context(), slot=clock.now(), organization_id=None, include_demo=False)


def make(whole_credits: int = 1, *, is_on: bool = True) -> tuple[Place, Connector]:
    place = make_place(whole_credits=whole_credits)
    make_membership(place.organization, make_user(), MembershipRole.OWNER)
    connector = make_connector(make_workspace(place.organization))
    if is_on:
        press(place, is_on=True)
    return place, connector


def press(place: Place, *, is_on: bool) -> None:
    credit_stop_change(
        staff_context(), organization_id=OrganizationId(place.organization.pk), is_on=is_on, reason="They asked for it."
    )


def use(place: Place) -> None:
    credits_consume(place.context, consumption=consumption(place, operation="unit"))


def status_of(connector: Connector) -> tuple[str, str]:
    connector.refresh_from_db()
    return connector.status, connector.auto_disable_reason


STOPPED, RUNNING = (ConnectorStatus.AUTO_DISABLED, "credits_exhausted"), (ConnectorStatus.ENABLED, "")


def mails() -> int:
    return OutboxItem.objects.filter(kind="email.send", key__startswith="credits-exhausted:").count()


def test_they_stop_with_the_last_credit_and_start_with_the_next() -> None:
    place, connector = make(2)
    use(place)
    assert (follow()["stopped"], status_of(connector)) == (0, RUNNING)
    use(place)
    assert (follow()["stopped"], status_of(connector), mails()) == (1, STOPPED, 1)
    assert (follow()["stopped"], mails()) == (0, 1)
    give(place, MICRO)
    assert (follow()["restored"], status_of(connector)) == (1, RUNNING)
    use(place)
    assert (follow()["stopped"], mails()) == (1, 2)


def test_without_the_switch_nothing_stops() -> None:
    place, connector = make(1, is_on=False)
    use(place)
    assert (follow()["stopped"], status_of(connector)) == (0, RUNNING)


def test_the_switch_takes_effect_at_once_both_ways() -> None:
    place, connector = make(1, is_on=False)
    use(place)
    press(place, is_on=True)
    assert status_of(connector) == STOPPED
    press(place, is_on=True)
    press(place, is_on=False)
    assert status_of(connector) == RUNNING
    assert AuditEntry.objects.filter(event="organization.credit_stop_changed").count() == 2


def test_what_a_person_disabled_stays_disabled() -> None:
    place, connector = make(1)
    Connector.objects.filter(pk=connector.pk).update(status=ConnectorStatus.DISABLED)
    use(place)
    follow()
    give(place, MICRO)
    follow()
    assert status_of(connector)[0] == ConnectorStatus.DISABLED


def test_who_may_not_press_it_changes_nothing() -> None:
    place, _ = make(1, is_on=False)
    name = OrganizationId(place.organization.pk)
    stranger = staff_context(Role.OWNER, OrganizationId(make_organization().pk))
    before = AuditEntry.objects.count()
    with pytest.raises(ForbiddenError):
        credit_stop_change(product_context(place.product), organization_id=name, is_on=True, reason="x")
    with pytest.raises(UnprocessableError):
        credit_stop_change(staff_context(), organization_id=name, is_on=True, reason=" ")
    with pytest.raises(NotFoundError):
        credit_stop_change(staff_context(), organization_id=OrganizationId(place.product.pk), is_on=True, reason="x")
    for role in (Role.MEMBER, Role.VIEWER, Role.SUPPORT, Role.STAFF_READER):
        with pytest.raises(ForbiddenError):
            credit_stop_change(staff_context(role, name), organization_id=name, is_on=True)
    with pytest.raises(NotFoundError):
        credit_stop_change(stranger, organization_id=name, is_on=True)
    assert (CreditStop.objects.count(), AuditEntry.objects.count()) == (0, before)


def test_an_admin_presses_it_on_settings_and_reads_what_it_does_now() -> None:
    place, connector = make(1, is_on=False)
    space = connector.workspace
    page = reverse("billing-credit-stop", args=[space.slug])
    people = {}
    for role in (MembershipRole.ADMIN, MembershipRole.MEMBER):
        user = make_signing_in_user(f"{role.value}@stop.example")
        make_membership(place.organization, user, role)
        people[role] = Client()
        people[role].force_login(user)
    admin, member = people[MembershipRole.ADMIN], people[MembershipRole.MEMBER]

    def read(client: Client) -> str:
        return Page(client.get(page).content.decode()).text

    assert page in member.get(reverse("billing-settings", args=[space.slug])).content.decode()
    assert "There are credits now, so that nothing stops yet." in read(admin)
    use(place)
    assert "The connector that runs stops as soon as you press the button." in read(admin)
    assert "Ask an admin or an owner" in read(member)
    before = AuditEntry.objects.count()
    assert member.post(page, {"is_on": "yes"}).status_code == 403
    assert "Nothing was changed." in Page(admin.post(page, {"is_on": "maybe"}, follow=True).content.decode()).text
    assert (CreditStop.objects.count(), AuditEntry.objects.count(), status_of(connector)) == (0, before, RUNNING)
    answer = admin.post(page, {"is_on": "yes"}, follow=True)
    assert "the connectors are stopped now" in Page(answer.content.decode()).text
    assert status_of(connector) == STOPPED
    entry = AuditEntry.objects.get(event="organization.credit_stop_changed")
    assert (entry.after, entry.actor_kind) == ({"stops_without_credits": True}, "user")
    assert "have been stopped since" in read(member)
    admin.post(page, {"is_on": "no"})
    assert status_of(connector) == RUNNING
