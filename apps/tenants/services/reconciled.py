"""What reconciliation changes: members that were missing here, and the list of drift (spec 02)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.db.models import QuerySet

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, ProductId
from apps.tenants.enums import DriftClass, ReportedMembership
from apps.tenants.models import MembershipDrift, Organization, ReconciliationRun, User
from apps.tenants.reconciliation_rules import Finding, Key, OurRow, ReportedRow, classify
from apps.tenants.selectors.reconciliation import memberships_of, window_facts
from apps.tenants.services.members import membership_create

Pair = tuple[ReportedRow | None, OurRow | None, Finding]
_LATEST = ("run", "reported", "reported_at", "reported_email", "our_role", "last_seen_at")


def members_import(context: ExecutionContext, *, product_id: ProductId, rows: Sequence[ReportedRow]) -> list[Pair]:
    """Make the missing memberships, as the product's report; each row's finding as it is once it is ours to change.

    The organizations are locked in the order of their ids until the transaction ends, and everything is judged anew
    then: a removal or a live report of meanwhile counts. Nobody is invited.
    """
    if not rows:
        return []
    organizations = {
        organization.pk: organization
        for organization in Organization.objects.select_for_update(no_key=True)
        .filter(pk__in={row.organization_id for row in rows})
        .order_by("pk")
    }
    facts, ours = window_facts(product_id, rows), memberships_of([row.key for row in rows])
    users = User.objects.in_bulk({row.user_id for row in rows})
    judged: list[Pair] = []
    for row in rows:
        finding = classify(row, ours.get(row.key), facts.of(row))
        judged.append((row, ours.get(row.key), finding))
        if not finding.is_import:
            continue
        organization = organizations[row.organization_id]
        as_product = replace(
            context.within(OrganizationId(organization.pk), is_demo=organization.is_demo), product_id=product_id
        )
        membership_create(
            as_product,
            organization=organization,
            user=users[row.user_id],
            role=row.role,
            # Without a time it is news of now. A removal that comes later ends it all the same.
            moment=row.changed_at,
        )
    return judged


def drift_store(run: ReconciliationRun, pairs: Sequence[Pair]) -> None:
    """Keep what differs. What staff decided of a difference holds as long as it is the same one."""
    now = clock.now()
    fresh = [_drift_of(run, *pair) for pair in pairs if pair[2].drift_class is not None]
    for row in fresh:
        row.first_seen_at = row.last_seen_at = now
    _reopen_changed(run, fresh)
    MembershipDrift.objects.bulk_create(
        fresh,
        update_conflicts=True,
        unique_fields=["organization", "user", "product", "drift_class"],
        update_fields=list(_LATEST),
    )


def _drift_of(
    run: ReconciliationRun, reported: ReportedRow | None, ours: OurRow | None, finding: Finding
) -> MembershipDrift:
    organization_id, user_id = _key_of(reported, ours)
    return MembershipDrift(
        id=uuid.uuid4(),
        organization_id=organization_id,
        user_id=user_id,
        product_id=run.product_id,
        run=run,
        drift_class=finding.drift_class or "",
        reported=ReportedMembership(reported.role.value) if reported else ReportedMembership.ABSENT,
        reported_at=reported.changed_at if reported else None,
        reported_email=reported.email if reported else "",
        our_role=ours.role if ours else "",
    )


def _key_of(reported: ReportedRow | None, ours: OurRow | None) -> Key:
    row = reported or ours
    if row is None:
        raise AssertionError("a pair has at least one side")
    return row.key


def _reopen_changed(run: ReconciliationRun, fresh: Sequence[MembershipDrift]) -> None:
    """Take back what staff decided where the two sides now say something else."""
    now_said = {(row.organization_id, row.user_id, row.drift_class): (row.reported, row.our_role) for row in fresh}
    decided = MembershipDrift.objects.filter(
        product=run.product_id, organization__in={row.organization_id for row in fresh}
    ).exclude(resolution="")
    changed = [
        row.pk
        for row in decided
        if (said := now_said.get((row.organization_id, row.user_id, DriftClass(row.drift_class)))) is not None
        and said != (row.reported, row.our_role)
    ]
    MembershipDrift.objects.filter(pk__in=changed).update(
        resolution="", resolution_reason="", resolved_by="", resolved_at=None
    )


def settled_drift(run: ReconciliationRun) -> QuerySet[MembershipDrift]:
    """The product's drift that the run did not find again. A live report that came during the merge is no such."""
    return MembershipDrift.objects.filter(product=run.product_id, last_seen_at__lt=run.merge_began_at)
