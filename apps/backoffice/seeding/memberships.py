"""A sample report of product Red: what it has of Northwind's members, with differences that wait for a person."""

from __future__ import annotations

from dataclasses import replace

from apps.backoffice.seeding.data import seed_id
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.ids import ProductId, ReconciliationRunId
from apps.tenants.access import task_context
from apps.tenants.models import ReconciliationRun
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.reconciliation_rules import ReportedRow
from apps.tenants.selectors.products import product_by_slug
from apps.tenants.services.snapshots import snapshot_chunk_store

# Victor is missing there, Mia has another role there, and of Paul we have not heard.
_REPORTED = (
    ("olivia@northwind.example", MembershipRole.OWNER),
    ("adam@northwind.example", MembershipRole.ADMIN),
    ("mia@northwind.example", MembershipRole.VIEWER),
    ("paul@northwind.example", MembershipRole.MEMBER),
)


def seed_membership_report(context: ExecutionContext) -> None:
    """Push the members that Red has, and reconcile them; once."""
    red, snapshot_id = product_by_slug("red"), seed_id("snapshot:red")
    if red is None or ReconciliationRun.objects.filter(snapshot_id=snapshot_id).exists():
        return
    organization_id = seed_id("organization:northwind")
    rows = [ReportedRow(organization_id, seed_id(email), role, email=email) for email, role in _REPORTED]
    rows.append(ReportedRow(seed_id("organization:ines-ibarra"), seed_id("ines@example.com"), MembershipRole.OWNER))
    run = snapshot_chunk_store(
        replace(context, product_id=ProductId(red.pk)),
        snapshot_id=snapshot_id,
        sequence=1,
        is_last=True,
        members=sorted(rows, key=lambda row: row.key),
    )
    machine = task_context("reconcile-memberships", request_id=context.request_id)
    reconciliation_run_execute(machine, ReconciliationRunId(run.pk))
