"""Closing an organization: it stays with all its records, and nothing runs there any more (spec 03, the first rule)."""

from __future__ import annotations

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.models import Organization, Workspace
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization
from apps.tenants.slugs import closed_slug

CLOSE_OPERATION = "organizations.close"


@transaction.atomic
def organization_close(
    context: ExecutionContext, *, organization_id: OrganizationId, reason: str, frees_slugs: bool = False
) -> Organization:
    """Close the organization; one that is closed stays as it is.

    With `frees_slugs` it and its workspaces get slugs that say so, and another organization may take theirs: links to
    the old addresses lead there. Raises `NotFoundError` `unknown_organization`, `ForbiddenError`.
    """
    require(context, CLOSE_OPERATION)
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    if organization.closed_at is not None:
        return organization
    before: dict[str, object] = {"closed_at": None, "slug": organization.slug}
    organization.closed_at = clock.now()
    if frees_slugs:
        organization.slug = closed_slug(organization.slug, organization.pk)
        for workspace in Workspace.objects.select_for_update(no_key=True).filter(organization=organization):
            workspace.slug = closed_slug(workspace.slug, workspace.pk)
            workspace.save(update_fields=["slug"])
    organization.save(update_fields=["closed_at", "slug"])
    audit_append(
        context,
        events.ORGANIZATION_CLOSED,
        organization.audit_target,
        before=before,
        after={"closed_at": organization.closed_at, "slug": organization.slug},
        reason=reason,
    )
    return organization
