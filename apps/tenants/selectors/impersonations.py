"""Impersonations to read: the one of a request, anew at each, and the person as whom staff look."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core.ids import OrganizationId, UserId
from apps.tenants.impersonation_rules import Chosen
from apps.tenants.models import Impersonation, Membership, User, Workspace


def impersonation_of(impersonation_id: UUID) -> Impersonation | None:
    """The impersonation with its member and organization."""
    rows = Impersonation.objects.select_related("member", "organization")
    return rows.filter(pk=impersonation_id).first()


def impersonation_for_update(impersonation_id: UUID) -> Impersonation | None:
    """Lock the row until the transaction ends."""
    return Impersonation.objects.select_for_update().filter(pk=impersonation_id).first()


def open_of_staff_for_update(staff_id: UserId) -> Impersonation | None:
    """What this member of staff has begun and nobody has ended, locked: at most one, by the database."""
    return Impersonation.objects.select_for_update().filter(staff=staff_id, ended_at=None).first()


def chosen_as(user: User, organization_id: OrganizationId, *, staff_id: UserId) -> Chosen:
    """What the rules ask of the person."""
    return Chosen(
        is_member=Membership.objects.filter(user=user, organization=organization_id).exists(),
        is_active=user.is_active,
        is_staff=user.is_staff,
        is_oneself=user.pk == staff_id,
    )


def workspace_slugs(organization_id: OrganizationId, *, slug: str = "") -> QuerySet[Workspace, str]:
    """The slugs of the organization's workspaces, by name; those that are `slug`, where one is given."""
    named = Q(slug=slug) if slug else Q()
    rows = Workspace.objects.filter(named, organization=organization_id).order_by("name", "pk")
    return rows.values_list("slug", flat=True)
