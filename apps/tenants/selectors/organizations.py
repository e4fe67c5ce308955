"""Organizations and workspaces to read, and the functions that lock them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q, QuerySet
from django_stubs_ext import WithAnnotations

from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.tenants.models import Organization, Workspace


def organization_for_update(organization_id: OrganizationId) -> Organization | None:
    """Lock the organization's row until the transaction ends; None when there is no such organization."""
    return Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).first()


def workspace_for_update(workspace_id: WorkspaceId) -> Workspace | None:
    """Lock the workspace's row until the transaction ends; None when there is no such workspace."""
    return Workspace.objects.select_for_update(no_key=True).filter(pk=workspace_id).first()


def organization_of_workspace(workspace_id: WorkspaceId) -> OrganizationId | None:
    """The organization that the workspace belongs to; None when there is no such workspace."""
    organization_id = Workspace.objects.filter(pk=workspace_id).values_list("organization", flat=True).first()
    return OrganizationId(organization_id) if organization_id is not None else None


def organization_exists(organization_id: OrganizationId) -> bool:
    return Organization.objects.filter(pk=organization_id).exists()


def is_demo_organization(organization_id: UUID) -> bool:
    """Whether it is a demo; an organization that does not exist is none."""
    return Organization.objects.filter(pk=organization_id, is_demo=True).exists()


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
