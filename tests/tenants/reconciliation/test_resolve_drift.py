"""Where an export is set, the nightly job, and what staff do about drift (spec 02)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import MembershipDriftId, ProductId
from apps.core.models import AuditEntry
from apps.tenants.enums import DriftResolution
from apps.tenants.jobs import reconcile_memberships
from apps.tenants.models import (
    Membership,
    MembershipDrift,
)
from apps.tenants.services import (
    drift_import,
    drift_settle,
    product_export_change,
    reconciliation_request,
)
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_membership, make_product, make_user
from tests.tenants.reconciliation.cast import WHY, World, members, picture, plant
from tests.tenants.reconciliation.exports import KEY, row

pytestmark = pytest.mark.django_db


def test_a_key_is_sealed_and_never_follows_a_new_address(world: World) -> None:
    world.red.refresh_from_db()
    assert KEY.encode() not in bytes(world.red.sealed_export_key or b"")
    change: dict[str, Any] = {"product_id": ProductId(world.red.pk), "reason": WHY}
    kept = product_export_change(console_context(), url=world.export.url, key="", **change)
    assert kept.sealed_export_key is not None
    moved = product_export_change(console_context(), url="https://elsewhere.example.com/m", key="", **change)
    assert moved.sealed_export_key is None
    assert KEY not in json.dumps([[entry.before, entry.after] for entry in AuditEntry.objects.all()])
    for url, key in [("http://10.0.0.1/", ""), ("ftp://example.com/", ""), ("", "key"), (world.export.url, "a b")]:
        with pytest.raises(UnprocessableError):
            product_export_change(console_context(), url=url, key=key, **change)
    moved.refresh_from_db()
    assert moved.membership_export_url == "https://elsewhere.example.com/m"


def test_the_nightly_job_reconciles_every_product_with_an_export(world: World) -> None:
    make_product("blue")
    world.export.rows = members(world, 2)
    job: dict[str, Any] = {"slot": clock.now(), "include_demo": False}
    counts = reconcile_memberships(console_context(), organization_id=None, **job)
    assert counts == {"products": 1, "succeeded": 1, "waiting": 0, "failed": 0, "queued": 0}
    assert reconcile_memberships(console_context(), organization_id=uuid.uuid4(), **job)["products"] == 0
    assert reconcile_memberships(console_context(), organization_id=world.acme.pk, **job)["products"] == 1


def test_a_product_without_an_export_has_nothing_to_read(world: World) -> None:
    blue = make_product("blue")
    with pytest.raises(ConflictError) as refusal:
        reconciliation_request(console_context(), product_id=ProductId(blue.pk))
    assert refusal.value.problem_code == "no_membership_export"


def drift_of(world: World, name: str) -> MembershipDriftId:
    return MembershipDriftId(MembershipDrift.objects.filter(product=world.red, drift_class=name).earliest("pk").pk)


@pytest.mark.parametrize(
    ("name", "role"), [("role_differs", "admin"), ("removed_here", "member"), ("missing_there", None)]
)
@pytest.mark.slow
def test_staff_take_over_the_side_of_the_product(world: World, name: str, role: str | None) -> None:
    rows, planted = plant(world)
    world.told(*rows)
    organization_id, user_id = planted[name]
    drift_import(staff_context(), drift_id=drift_of(world, name), reason=WHY)
    found = Membership.objects.filter(organization=organization_id, user=user_id)
    assert list(found.values_list("role", flat=True)) == ([role] if role else [])
    assert not MembershipDrift.objects.filter(drift_class=name).exists()
    assert AuditEntry.objects.filter(event="membership_drift.resolved", reason=WHY).count() == 1
    assert world.told(*rows).counts.get(name) is None


def test_what_the_product_says_of_an_owner_is_taken_over_by_a_person_alone(world: World) -> None:
    owner, other = make_user(), make_user()
    make_membership(world.acme, owner, MembershipRole.OWNER)
    world.told(row(world.acme, owner, "member"))
    with pytest.raises(ConflictError) as refusal:  # the last one stays
        drift_import(staff_context(), drift_id=drift_of(world, "owner_reported"), reason=WHY)
    assert refusal.value.problem_code == "last_owner"
    assert MembershipDrift.objects.count() == 1
    make_membership(world.acme, other, MembershipRole.OWNER)
    drift_import(staff_context(), drift_id=drift_of(world, "owner_reported"), reason=WHY)
    assert Membership.objects.get(user=owner).role == "member"


@pytest.mark.parametrize("name", ["unknown_user", "unknown_organization", "not_related", "duplicate_identity"])
def test_what_is_unknown_here_cannot_be_taken_over(world: World, name: str) -> None:
    rows, _ = plant(world)
    world.told(*rows)
    before = picture(world.red)
    with pytest.raises(ConflictError) as refusal:
        drift_import(staff_context(), drift_id=drift_of(world, name), reason=WHY)
    assert refusal.value.problem_code == "drift_not_importable"
    assert picture(world.red) == before
    # To ignore it, also of an organization that does not exist.
    drift_settle(staff_context(), drift_id=drift_of(world, name), resolution=DriftResolution.IGNORED, reason=WHY)


@pytest.mark.slow
def test_ignored_drift_stays_ignored_until_it_is_another_difference(world: World) -> None:
    user = make_user()
    make_membership(world.acme, user, MembershipRole.VIEWER)
    assert world.told(row(world.acme, user, "member")).counts["open_drift"] == 1
    drift_settle(
        staff_context(), drift_id=drift_of(world, "role_differs"), resolution=DriftResolution.IGNORED, reason=WHY
    )
    assert world.told(row(world.acme, user, "member")).counts["open_drift"] == 0
    assert MembershipDrift.objects.get().resolution_reason == WHY
    assert world.told(row(world.acme, user, "admin")).counts["open_drift"] == 1
    assert MembershipDrift.objects.get().resolution == ""


def test_a_decision_about_drift_needs_a_reason(world: World) -> None:
    rows, _ = plant(world)
    world.told(*rows)
    before, drift_id = picture(world.red), drift_of(world, "role_differs")
    for decide in (
        lambda: drift_import(staff_context(), drift_id=drift_id, reason=" "),
        lambda: drift_settle(staff_context(), drift_id=drift_id, resolution=DriftResolution.IGNORED, reason=""),
    ):
        with pytest.raises(UnprocessableError) as refusal:
            decide()
        assert [(error.field, error.code) for error in refusal.value.errors] == [("reason", "blank")]
    assert picture(world.red) == before
