"""A contradiction between the gate and what is paid, for tests of pages."""

from __future__ import annotations

from apps.core import clock
from apps.reporting.models import ContradictionKind, PaymentContradiction
from tests.factories.tenants import make_organization, make_workspace


def make_contradiction() -> PaymentContradiction:
    """A paying customer whose workspace is blocked."""
    workspace, now = make_workspace(make_organization()), clock.now()
    return PaymentContradiction.objects.create(
        kind=ContradictionKind.PAID_BUT_BLOCKED,
        workspace=workspace,
        organization=workspace.organization,
        reason="stripe:sub_1 is active, but the payment status is locked.",
        records=["stripe:sub_1", f"payment_config:{workspace.organization_id}"],
        first_seen_at=now,
        seen_at=now,
    )
