"""Workspaces as the billing pages list them: one query each, whatever their number."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet
from django_stubs_ext import WithAnnotations

from apps.core.ids import UserId
from apps.tenants.models import Workspace


def workspaces_of(user_id: UserId, *, matching: str = "") -> QuerySet[WithAnnotations[Workspace]]:
    """The workspaces of the organizations that the user is a member of, with their `role` there, by name.

    `matching` keeps those whose own or whose organization's name contains it.
    """
    workspaces = (
        Workspace.objects.filter(organization__memberships__user=user_id)
        .annotate(role=F("organization__memberships__role"))
        .select_related("organization")
        .order_by("organization__name", "organization_id", "name", "pk")
    )
    if matching:
        workspaces = workspaces.filter(Q(name__icontains=matching) | Q(organization__name__icontains=matching))
    return workspaces


def demo_workspaces(*, at_most: int) -> QuerySet[Workspace]:
    """Workspaces of demo organizations, which any signed-in user may look at (spec 02)."""
    return (
        Workspace.objects.filter(organization__is_demo=True, organization__closed_at__isnull=True)
        .select_related("organization")
        .order_by("organization__name", "name", "pk")[:at_most]
    )
