"""Membership drift: what a product reports and we did not take over (spec 02, Membership authority)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.errors import Reason
from apps.tenants.enums import DriftClass, ReportedMembership
from apps.tenants.models import Membership, MembershipDrift


@transaction.atomic
def owner_report_store(
    context: ExecutionContext, *, membership: Membership, role: MembershipRole | None, changed_at: datetime
) -> MembershipDrift:
    """Keep the latest report of the context's product about the owner, who stays one; `role` None: removed.

    The membership is locked. Nothing is audited: a report that changes nothing is no change.
    """
    now = clock.now()
    latest = {
        "reported": ReportedMembership(role.value) if role is not None else ReportedMembership.REMOVED,
        "reported_at": changed_at,
        "our_role": membership.role,
        "last_seen_at": now,
    }
    kept, _ = MembershipDrift.objects.update_or_create(
        organization_id=membership.organization_id,
        user_id=membership.user_id,
        product_id=context.product_id,
        drift_class=DriftClass.OWNER_REPORTED,
        defaults=latest,
        create_defaults={**latest, "first_seen_at": now},
    )
    return kept


def drift_delete(membership: Membership) -> None:
    """Drop what products had reported of a membership that has now been changed by who may."""
    MembershipDrift.objects.filter(organization=membership.organization_id, user=membership.user_id).delete()


def explain_owner_report(context: ExecutionContext, membership: Membership) -> tuple[Reason, ...]:
    """Why a report about an owner changed nothing."""
    return (
        Reason(
            "owner_report",
            "deny",
            f"user {membership.user_id} is an owner; only the identity service and staff change owners, so the report "
            f"of {context.actor.label} is kept as drift",
            f"membership:{membership.pk}",
        ),
    )


def explain_older_report(what: str, moment: datetime, record: str) -> tuple[Reason, ...]:
    """Why an older report changed nothing."""
    return (Reason("newer_news", "deny", f"{what} since {moment.isoformat()}, and the report is no newer", record),)
