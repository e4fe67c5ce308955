"""Workspaces as products provision them."""

from __future__ import annotations

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.free_text import refuse_key_like
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.locks import lock_name
from apps.tenants import events
from apps.tenants.models import Workspace
from apps.tenants.selectors.organizations import workspace_for_update
from apps.tenants.services.results import Upserted, change, values_of
from apps.tenants.slugs import slug_for

_KEPT = ("slug", "name")


@transaction.atomic
def workspace_upsert(
    context: ExecutionContext,
    *,
    workspace_id: WorkspaceId,
    organization_id: OrganizationId,
    name: str,
    slug: str | None = None,
) -> Upserted[Workspace]:
    """Make the workspace, or bring its name and slug up to date.

    A workspace stays with its organization: the caller has shown that both ids agree (`tenant_ambiguous` otherwise).
    Raises `ConflictError` `slug_taken`.
    """
    lock_name(f"workspace:{workspace_id}")
    workspace = workspace_for_update(workspace_id)
    if slug is not None:
        _guard_slug(slug, workspace_id)
    before = values_of(workspace, *_KEPT) if workspace else {}
    if workspace is None:
        workspace = Workspace.objects.create(
            id=workspace_id, organization_id=organization_id, name=name, slug=slug or slug_for(name, workspace_id)
        )
        changed = list(_KEPT)
    else:
        changed = change(workspace, name=name, slug=slug or workspace.slug)
    if changed:
        audit_append(
            context,
            events.WORKSPACE_CHANGED if before else events.WORKSPACE_CREATED,
            workspace.audit_target,
            before={field: before[field] for field in changed} if before else {},
            after=values_of(workspace, *changed),
        )
    return Upserted(workspace, is_created=not before)


def _guard_slug(slug: str, workspace_id: WorkspaceId) -> None:
    refuse_key_like("slug", slug)
    lock_name(f"workspace-slug:{slug}")
    if Workspace.objects.filter(slug=slug).exclude(pk=workspace_id).exists():
        raise ConflictError(
            f"The slug {slug} belongs to another workspace. Choose another, or leave it out to have one made.",
            code="slug_taken",
            title="The slug is taken",
        )
