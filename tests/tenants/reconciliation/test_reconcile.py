"""A run from the export to memberships and drift: what it imports, lists and leaves alone (spec 02)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.models import (
    Membership,
    MembershipDrift,
    MembershipRemoval,
    Organization,
    ReportedMember,
)
from apps.tenants.reconciliation import engine
from apps.tenants.services import (
    member_remove,
    member_upsert,
    organization_close,
)
from tests.contexts import console_context, product_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_user
from tests.tenants.reconciliation.cast import World, picture, plant
from tests.tenants.reconciliation.exports import KEY, insert_members, row

pytestmark = pytest.mark.django_db


def test_what_is_missing_here_is_imported_as_the_product_said_it(world: World) -> None:
    here, missing, undated = make_user(), make_user(), make_user()
    make_membership(world.acme, here)
    since = "2026-03-01T09:30:00Z"
    run = world.told(
        row(world.acme, here), row(world.acme, missing, "admin", changed_at=since), row(world.acme, undated)
    )
    assert (run.status, run.counts) == ("succeeded", {"members": 3, "agreed": 1, "imported": 2, "open_drift": 0})
    imported = Membership.objects.get(user=missing)
    assert (imported.role, imported.origin, imported.origin_product) == ("admin", "product", world.red)
    assert imported.role_changed_at.isoformat() == "2026-03-01T09:30:00+00:00"
    entry = AuditEntry.objects.get(event="membership.created", target_id=str(imported.pk))
    assert entry.actor_label == "console:tester"
    # Again there is nothing to do.
    again = world.reconcile()
    assert again.counts == {"members": 3, "agreed": 3, "open_drift": 0}
    assert not ReportedMember.objects.exists()
    assert {authorization for _, authorization in world.export.asked} == {f"Bearer {KEY}"}


def test_every_class_of_drift_is_listed_and_nothing_else_changed(world: World) -> None:
    rows, planted = plant(world)
    before = picture(world.red)[0]
    run = world.told(*rows)
    assert run.status == "succeeded"
    assert {name: run.counts.get(name) for name in planted} == {**dict.fromkeys(planted, 1), "owner_reported": 2}
    listed = {(drift.drift_class, drift.organization_id, drift.user_id) for drift in MembershipDrift.objects.all()}
    assert {(name, *key) for name, key in planted.items()} <= listed
    assert len(listed) == 9
    assert picture(world.red)[0] == before
    assert run.counts["open_drift"] == 9


@pytest.mark.slow
def test_drift_goes_when_the_difference_goes(world: World) -> None:
    rows, planted = plant(world)
    world.told(*rows)
    organization_id, user_id = planted["role_differs"]
    fixed = [r for r in rows if r["organization_id"] == str(organization_id)]
    for each in fixed:
        if each["user_id"] == str(user_id):
            each["role"] = "viewer"
    run = world.told(*fixed)
    left = set(MembershipDrift.objects.values_list("drift_class", flat=True))
    assert left == {"missing_there", "owner_reported", "removed_here", "unknown_user", "duplicate_identity"}
    assert run.counts["agreed"] == 1


def test_demo_synthetic_and_closed_organizations_are_left_out(world: World) -> None:
    demo, closed = make_organization("Demo", is_demo=True), make_organization("Closed")
    made = make_organization("Made")
    Organization.objects.filter(pk=made.pk).update(is_synthetic=True)
    make_product("red", demo, closed, made)
    for organization in (demo, closed, made):
        make_membership(organization, make_user())
    organization_close(console_context(), organization_id=OrganizationId(closed.pk), reason="gone")
    run = world.told(*(row(organization, make_user()) for organization in (demo, closed, made)))
    assert run.counts == {"members": 3, "agreed": 3, "open_drift": 0}
    assert Membership.objects.count() == 3


def test_the_report_that_is_later_than_a_removal_brings_the_person_back(world: World) -> None:
    user = make_user()
    make_membership(world.acme, user)
    member_remove(console_context(), organization_id=OrganizationId(world.acme.pk), user_id=UserId(user.pk))
    later = MembershipRemoval.objects.get().removed_at + timedelta(seconds=1)
    run = world.told(row(world.acme, user, changed_at=later.isoformat()))
    assert (run.counts.get("imported"), Membership.objects.filter(user=user).count()) == (1, 1)


def test_a_time_far_ahead_of_ours_overrides_no_removal(world: World) -> None:
    user = make_user()
    make_membership(world.acme, user)
    member_remove(console_context(), organization_id=OrganizationId(world.acme.pk), user_id=UserId(user.pk))
    ahead = clock.now() + timedelta(days=1)
    assert world.told(row(world.acme, user, changed_at=ahead.isoformat())).counts.get("removed_here") == 1


def test_a_live_report_during_a_merge_is_not_dropped_by_it(world: World) -> None:
    owner = make_user()
    make_membership(world.acme, owner, MembershipRole.OWNER)
    world.export.rows = [row(world.acme, owner, "owner")]
    context = product_context(world.red, OrganizationId(world.acme.pk))
    ids: dict[str, Any] = {"organization_id": OrganizationId(world.acme.pk), "user_id": UserId(owner.pk)}
    member_upsert(context, **ids, role=MembershipRole.VIEWER)
    assert MembershipDrift.objects.get().our_role == "owner"
    # The export is read later than that report, and agrees.
    world.reconcile()
    assert not MembershipDrift.objects.exists()


@pytest.mark.slow
def test_windows_of_every_size_give_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = plant(world)
    extra = insert_members(world.red, 2, 5)
    seen = set()
    for size in (1, 2, 3, 7, 1_000):
        monkeypatch.setattr(engine, "WINDOW", size)
        counts = world.told(*rows, *extra[:-1]).counts
        seen.add((json.dumps(counts, sort_keys=True), str(picture(world.red))))
    assert len(seen) == 1
