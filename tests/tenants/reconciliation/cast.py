"""A product with an export, and one member of every class of drift."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, ProductId, ReconciliationRunId, UserId
from apps.tenants.models import (
    Membership,
    MembershipDrift,
    MembershipRemoval,
    Organization,
    Product,
    ReconciliationRun,
    User,
)
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services import (
    member_remove,
    reconciliation_request,
)
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_user
from tests.tenants.reconciliation.exports import Export, Row, in_order, row

WHY = "looked at it with the product's team"


@dataclass
class World:
    """A product with one organization, and what it exports."""

    red: Product
    acme: Organization
    export: Export

    def reconcile(self) -> ReconciliationRun:
        run = reconciliation_request(console_context(), product_id=ProductId(self.red.pk), reason=WHY)
        done = reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
        assert done is not None
        return done

    def told(self, *rows: Row) -> ReconciliationRun:
        self.export.rows = in_order(rows)
        return self.reconcile()


def picture(product: Product) -> tuple[Any, ...]:
    """All that a run may change."""
    members = Membership.objects.order_by("organization_id", "user_id")
    drift = MembershipDrift.objects.filter(product=product).order_by("organization_id", "user_id", "drift_class")
    return (
        list(members.values_list("organization_id", "user_id", "role", "origin", "role_changed_at")),
        list(drift.values_list("organization_id", "user_id", "drift_class", "reported", "our_role")),
        MembershipRemoval.objects.count(),
    )


def members(world: World, count: int) -> list[Row]:
    people = [User(id=uuid.uuid4(), email=f"{uuid.uuid4().hex}@example.com") for _ in range(count)]
    return in_order([row(world.acme, user) for user in User.objects.bulk_create(people)])


def plant(world: World) -> tuple[list[Row], dict[str, tuple[uuid.UUID, uuid.UUID]]]:
    """One member of every class of drift, and the rows of the export; by class, whom it is about."""
    people = {name: make_user() for name in ("there", "role", "owner", "promoted", "removed", "related", "twin")}
    stranger, nowhere, unrelated = uuid.uuid4(), uuid.uuid4(), make_organization("Unrelated")
    make_membership(world.acme, people["there"])
    make_membership(world.acme, people["role"], MembershipRole.VIEWER)
    make_membership(world.acme, people["owner"], MembershipRole.OWNER)
    make_membership(world.acme, people["removed"])
    member_remove(
        console_context(), organization_id=OrganizationId(world.acme.pk), user_id=UserId(people["removed"].pk)
    )
    rows = [
        row(world.acme, people["role"], "admin"),
        row(world.acme, people["owner"], "member"),
        row(world.acme, people["promoted"], "owner"),
        row(world.acme, people["removed"], changed_at="2026-01-01T00:00:00Z"),
        row(unrelated, people["related"]),
        row(nowhere, people["related"]),
        row(world.acme, stranger),
        row(world.acme, people["twin"], email=people["there"].email.upper()),
    ]
    return rows, {
        "missing_there": (world.acme.pk, people["there"].pk),
        "role_differs": (world.acme.pk, people["role"].pk),
        "owner_reported": (world.acme.pk, people["owner"].pk),
        "removed_here": (world.acme.pk, people["removed"].pk),
        "not_related": (unrelated.pk, people["related"].pk),
        "unknown_organization": (nowhere, people["related"].pk),
        "unknown_user": (world.acme.pk, stranger),
        "duplicate_identity": (world.acme.pk, people["twin"].pk),
    }
