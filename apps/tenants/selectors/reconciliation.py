"""What reconciliation reads: the two streams in windows, and the facts of the rows in one (spec 02).

Each window is read by an index from where the last one ended, so that its cost does not grow with the way gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from apps.core.emails import EmailAddressError, canonical_email
from apps.core.enums import MembershipRole
from apps.core.ids import ProductId
from apps.tenants.enums import OrganizationKind, ReconciliationStatus
from apps.tenants.models import (
    Membership,
    MembershipRemoval,
    Organization,
    ProductRelation,
    ReconciliationRun,
    ReportedMember,
    User,
)
from apps.tenants.reconciliation_rules import Key, OurRow, ReportedRow, RowFacts

_LESSER_FIRST = Case(
    *(When(role=role.value, then=Value(-place)) for place, role in enumerate(MembershipRole)),
    output_field=IntegerField(),
)


def reported_window(run_id: UUID, after: Key | None, limit: int) -> list[ReportedRow]:
    """The next members of the report. Of one that stands there twice the lesser role counts."""
    rows = ReportedMember.objects.filter(_after(after), run=run_id)
    rows = rows.order_by("organization_id", "user_id", _LESSER_FIRST, "pk").distinct("organization_id", "user_id")
    columns = rows.values_list("organization_id", "user_id", "role", "changed_at", "email")[:limit]
    return [ReportedRow(o, u, MembershipRole(role), at, email) for o, u, role, at, email in columns]


def our_window(product_id: ProductId, after: Key | None, limit: int) -> list[OurRow]:
    """The next memberships here, of the organizations that the product is related to."""
    rows = _ours(product_id).filter(_after(after)).order_by("organization_id", "user_id")
    columns = rows.values_list("organization_id", "user_id", "role", "role_changed_at", "organization__kind")[:limit]
    return [OurRow(o, u, MembershipRole(role), at, _is_personal(kind)) for o, u, role, at, kind in columns]


def our_count(product_id: ProductId) -> int:
    """How many memberships here the product should report."""
    return _ours(product_id).exclude(organization__kind=OrganizationKind.INDIVIDUAL).count()


def _ours(product_id: ProductId) -> QuerySet[Membership]:
    related = ProductRelation.objects.filter(product=product_id, organization=OuterRef("organization_id"))
    return Membership.objects.filter(
        Exists(related),
        organization__is_demo=False,
        organization__is_synthetic=False,
        organization__closed_at=None,
    )


def repeated_count(run_id: UUID) -> int:
    """How many rows of the report name a member that another row names too."""
    rows = ReportedMember.objects.filter(run=run_id)
    return rows.count() - rows.values("organization_id", "user_id").distinct().count()


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What we know of the rows of a window."""

    organizations: dict[UUID, bool]
    related: frozenset[UUID]
    users: frozenset[UUID]
    owners_of_emails: dict[str, UUID]
    removals: dict[Key, datetime]

    def of(self, row: ReportedRow) -> RowFacts:
        """The facts of one row."""
        holder = self.owners_of_emails.get(email_key(row.email)) if row.email else None
        return RowFacts(
            organization_exists=row.organization_id in self.organizations,
            is_related=row.organization_id in self.related,
            is_left_out=self.organizations.get(row.organization_id, False),
            user_exists=row.user_id in self.users,
            is_taken=holder is not None and holder != row.user_id,
            removed_at=self.removals.get(row.key),
        )


def window_facts(product_id: ProductId, rows: Sequence[ReportedRow]) -> WindowFacts:
    """The facts of the rows, in five queries however many they are."""
    organization_ids = {row.organization_id for row in rows}
    user_ids = {row.user_id for row in rows}
    emails = {email_key(row.email) for row in rows if row.email} - {""}
    found = Organization.objects.filter(pk__in=organization_ids).values_list(
        "pk", "is_demo", "is_synthetic", "closed_at"
    )
    removals = MembershipRemoval.objects.filter(organization__in=organization_ids, user__in=user_ids)
    return WindowFacts(
        organizations={
            pk: is_demo or is_synthetic or closed_at is not None for pk, is_demo, is_synthetic, closed_at in found
        },
        related=frozenset(
            ProductRelation.objects.filter(product=product_id, organization__in=organization_ids).values_list(
                "organization_id", flat=True
            )
        ),
        users=frozenset(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True)),
        owners_of_emails=dict(User.objects.filter(email__in=emails).values_list("email", "pk")) if emails else {},
        removals={(o, u): at for o, u, at in removals.values_list("organization_id", "user_id", "removed_at")},
    )


def memberships_of(keys: Sequence[Key]) -> dict[Key, OurRow]:
    """The memberships of these keys as they are now."""
    rows = Membership.objects.filter(
        organization__in={organization_id for organization_id, _ in keys}, user__in={user_id for _, user_id in keys}
    )
    columns = rows.values_list("organization_id", "user_id", "role", "role_changed_at")
    return {(o, u): OurRow(o, u, MembershipRole(role), at) for o, u, role, at in columns}


def last_complete_run(product_id: ProductId) -> ReconciliationRun | None:
    """The product's latest run that merged a whole report."""
    runs = ReconciliationRun.objects.filter(product=product_id, status=ReconciliationStatus.SUCCEEDED)
    return runs.order_by("-created_at").first()


@lru_cache(maxsize=4_096)
def email_key(text: str) -> str:
    """The one spelling of an address, as users have it; empty for what is none."""
    try:
        return canonical_email(text)
    except EmailAddressError:
        return ""


def _after(key: Key | None) -> Q:
    if key is None:
        return Q()
    organization_id, user_id = key
    # The first condition alone is what the index begins with.
    return Q(organization_id__gte=organization_id) & (
        Q(organization_id__gt=organization_id) | Q(organization_id=organization_id, user_id__gt=user_id)
    )


def _is_personal(kind: str) -> bool:
    return kind == OrganizationKind.INDIVIDUAL
