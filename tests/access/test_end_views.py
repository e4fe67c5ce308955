"""Why staff no longer view as a member, and what the database holds of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.models import Impersonation, Organization, User
from tests.access.pages import BODIES
from tests.access.test_view_as_member import Desk
from tests.access.world import World
from tests.backoffice.people import sign_in


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def _expire(desk: Desk) -> None:
    later = timedelta(hours=1, seconds=1)
    Impersonation.objects.filter(pk=desk.row.pk).update(
        started_at=desk.row.started_at - later, ends_at=desk.row.ends_at - later
    )


def _lose_role(desk: Desk) -> None:
    desk.staff.groups.remove(Group.objects.get(name=Role.SUPPORT.value))


def _lose_second_factor(desk: Desk) -> None:
    desk.staff.totpdevice_set.all().delete()  # type: ignore[attr-defined]


def _remove_member(desk: Desk) -> None:
    desk.membership.delete()


def _deactivate_member(desk: Desk) -> None:
    User.objects.filter(pk=desk.owner.pk).update(is_active=False)


def _begin_elsewhere(desk: Desk) -> None:
    other = Desk(desk.world)
    other.staff = desk.staff
    other.client = Client()
    sign_in(other.client, desk.staff)
    assert other.begin().status_code == 302


ENDS: dict[Callable[[Desk], None], ImpersonationEnd] = {
    _expire: ImpersonationEnd.EXPIRED,
    _lose_role: ImpersonationEnd.ROLE_LOST,
    _lose_second_factor: ImpersonationEnd.ROLE_LOST,
    _remove_member: ImpersonationEnd.MEMBER_GONE,
    _deactivate_member: ImpersonationEnd.MEMBER_GONE,
    _begin_elsewhere: ImpersonationEnd.REPLACED,
}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("happen", ENDS, ids=lambda happen: happen.__name__)
def test_it_ends_at_once_and_the_request_that_finds_out_does_nothing(
    desk: Desk, happen: Callable[[Desk], None], method: str
) -> None:
    desk.begin()
    row, path = desk.row, desk.path("billing-settings")
    happen(desk)
    before = Organization.objects.get(pk=desk.organization.pk).time_zone
    answer = getattr(desk.client, method)(path, BODIES["billing-settings"] if method == "post" else {})
    assert answer.status_code == 403
    assert "You no longer view these pages as a member" in answer.content.decode()
    row.refresh_from_db()
    assert row.end == ENDS[happen]
    assert ("impersonation.ended", desk.staff.email) in desk.entries()
    assert Organization.objects.get(pk=desk.organization.pk).time_zone == before
    assert "You are viewing as" not in desk.client.get(path).content.decode()


def test_a_click_ends_it_and_leads_back_to_the_staff_pages(desk: Desk) -> None:
    desk.begin()
    row, end = desk.row, reverse("impersonation-end")
    assert desk.client.get(end).status_code == 405
    answer = desk.client.post(end)
    assert answer.headers["Location"] == reverse("admin:tenants_organization_change", args=[desk.organization.pk])
    row.refresh_from_db()
    assert (row.end, desk.entries()[-1]) == (ImpersonationEnd.CLICKED, ("impersonation.ended", desk.staff.email))
    assert desk.client.post(end).headers["Location"] == reverse("admin:index")
    assert desk.client.get(desk.path("billing-members")).status_code == 200


@pytest.mark.parametrize("door", ["admin:logout", "sign-out"])
def test_signing_out_ends_it(desk: Desk, door: str) -> None:
    desk.begin()
    row = desk.row
    desk.client.post(reverse(door))
    row.refresh_from_db()
    assert row.end == ImpersonationEnd.SIGNED_OUT
    assert desk.client.get(desk.path("billing-members")).headers["Location"].startswith(reverse("sign-in"))
    assert settings.SESSION_COOKIE_NAME not in desk.client.cookies or not desk.client.session.get("impersonation")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends_at": timedelta(minutes=61)},
        {"ends_at": timedelta(0)},
        {"reason": ""},
        {"ended_at": timedelta(minutes=1)},
        {"end": "clicked"},
        {"end": "made up", "ended_at": timedelta(minutes=1)},
    ],
    ids=str,
)
def test_the_database_holds_what_an_impersonation_is(desk: Desk, wrong: dict[str, Any]) -> None:
    desk.begin()
    row = desk.row
    values = {name: row.started_at + value if isinstance(value, timedelta) else value for name, value in wrong.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Impersonation.objects.filter(pk=row.pk).update(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        Impersonation.objects.filter(pk=row.pk).update(member=desk.staff)
