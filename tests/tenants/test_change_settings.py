"""The one service of the Settings page: who may, what is refused, what the audit keeps (spec 08, Billing pages)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.errors import CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.core.operations import TENANT_LADDER
from apps.tenants.models import Organization
from apps.tenants.services import organization_settings_change
from tests.contexts import staff_context
from tests.factories.tenants import make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return make_organization(time_zone="Europe/Berlin")


def context_of(organization: Organization, role: Role = Role.ADMIN) -> ExecutionContext:
    return staff_context(role, OrganizationId(organization.pk))


def change(context: ExecutionContext, organization: Organization, time_zone: str) -> None:
    organization_settings_change(context, organization_id=OrganizationId(organization.pk), time_zone=time_zone)


def kept(organization: Organization) -> tuple[str, int]:
    organization.refresh_from_db()
    return organization.time_zone, AuditEntry.objects.filter(organization_id=organization.pk).count()


def test_an_admin_sets_the_time_zone_and_the_audit_says_from_what_to_what(organization: Organization) -> None:
    context = context_of(organization)
    change(context, organization, "Asia/Kathmandu")
    assert kept(organization)[0] == "Asia/Kathmandu"
    entry = AuditEntry.objects.filter(organization_id=organization.pk).order_by("sequence").last()
    assert entry is not None
    assert (entry.event, entry.before, entry.after, entry.actor_label) == (
        "organization.changed",
        {"time_zone": "Europe/Berlin"},
        {"time_zone": "Asia/Kathmandu"},
        context.actor.label,
    )


def test_the_same_zone_again_writes_nothing(organization: Organization) -> None:
    before = kept(organization)
    change(context_of(organization), organization, "Europe/Berlin")
    assert kept(organization) == before


@pytest.mark.parametrize("role", Role)
def test_every_role_below_admin_is_refused_and_changes_nothing(organization: Organization, role: Role) -> None:
    before = kept(organization)
    if role in TENANT_LADDER[:2]:
        change(context_of(organization, role), organization, "Asia/Tokyo")
        assert kept(organization) == ("Asia/Tokyo", before[1] + 1)
        return
    with pytest.raises(ForbiddenError):
        change(context_of(organization, role), organization, "Asia/Tokyo")
    assert kept(organization) == before


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "europe/berlin", "../etc/passwd", "UTC\0", "Europe/Berlin ", "+02:00"]
)
def test_a_zone_that_is_none_is_refused_and_changes_nothing(organization: Organization, zone: str) -> None:
    before = kept(organization)
    with pytest.raises(UnprocessableError) as refusal:
        change(context_of(organization), organization, zone)
    assert refusal.value.errors[0].field == "time_zone"
    assert kept(organization) == before


def test_an_admin_of_another_organization_reaches_nothing(organization: Organization) -> None:
    before, foreign = kept(organization), context_of(make_organization("Other"))
    for context in (foreign, replace(foreign, organization_id=None)):
        with pytest.raises(NotFoundError) as refusal:
            change(context, organization, "Asia/Tokyo")
        assert isinstance(refusal.value, CountinghouseError)
    assert kept(organization) == before
