"""Closes and reopens organizations: nothing else writes `closed_at` (spec 14; spec 03, the first rule).

A closed organization stays with all its records, and nothing runs there any more. Order of locks: the organization,
what the readers of open items lock, what the steps lock, the audit chain.
"""

from __future__ import annotations

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.tenants import closing, events
from apps.tenants.closing_rules import (
    ClosingFacts,
    ClosingRefusal,
    OpenItem,
    refuse_close,
    refuse_reopen,
)
from apps.tenants.models import Organization, Workspace
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization
from apps.tenants.slugs import closed_slug

CLOSE_OPERATION, REOPEN_OPERATION = "organization.close", "organization.reopen"


@transaction.atomic
def organization_close(
    context: ExecutionContext, *, organization_id: OrganizationId, reason: str, is_forced: bool = False
) -> Organization:
    """Close the organization, with all that follows. `is_forced`: although invoices or holds are open.

    Raises `NotFoundError` `unknown_organization`, `ForbiddenError`, `UnprocessableError` `reason_required`,
    `ConflictError` `organization_closed` or `closing_blocked`.
    """
    require(context, CLOSE_OPERATION)
    _require_reason(reason)
    organization = _locked(organization_id)
    open_items = closing.open_items_of(organization_id)
    _raise_if(refuse_close(_facts_of(organization, open_items), is_forced=is_forced))
    # Which they were, for whoever asks later why something was open still.
    _close(context, organization, reason, {"open": [item.fact for item in open_items]} if open_items else {})
    return organization


@transaction.atomic
def organization_replace(context: ExecutionContext, *, organization_id: OrganizationId, reason: str) -> Organization:
    """Close a sample, or what a check has made, whatever is open there; one that is closed stays as it is.

    It and its workspaces get slugs that say so, and another organization may take theirs: links to the old addresses
    lead there. Raises `NotFoundError` `unknown_organization`, `ForbiddenError`.
    """
    require(context, CLOSE_OPERATION)
    organization = _locked(organization_id)
    if organization.closed_at is None:
        before = organization.slug
        organization.slug = closed_slug(organization.slug, organization.pk)
        organization.save(update_fields=["slug"])
        for workspace in Workspace.objects.select_for_update(no_key=True).filter(organization=organization):
            workspace.slug = closed_slug(workspace.slug, workspace.pk)
            workspace.save(update_fields=["slug"])
        _close(context, organization, reason, {"slug": organization.slug}, {"slug": before})
    return organization


@transaction.atomic
def organization_reopen(context: ExecutionContext, *, organization_id: OrganizationId, reason: str) -> Organization:
    """Open the organization again, within 90 days: what its close has stopped goes on.

    Raises `NotFoundError` `unknown_organization`, `ForbiddenError`, `UnprocessableError` `reason_required`,
    `ConflictError` `state_conflict` for one that is open, `reopening_expired`.
    """
    require(context, REOPEN_OPERATION)
    _require_reason(reason)
    organization = _locked(organization_id)
    _raise_if(refuse_reopen(_facts_of(organization)))
    before, organization.closed_at = organization.closed_at, None
    organization.save(update_fields=["closed_at"])
    within = context.within(organization_id, is_demo=organization.is_demo)
    closing.run_reopened(within, organization_id=organization_id)
    audit_append(
        within,
        events.ORGANIZATION_REOPENED,
        organization.audit_target,
        before={"closed_at": before},
        after={"closed_at": None},
        reason=reason,
    )
    return organization


def closing_refusal(organization: Organization) -> ClosingRefusal | None:
    """Why the organization can't be closed even by force, as it is now; None where it can."""
    return refuse_close(_facts_of(organization), is_forced=True)


def reopening_refusal(organization: Organization) -> ClosingRefusal | None:
    """Why the organization can't be reopened, as it is now; None where it can."""
    return refuse_reopen(_facts_of(organization))


def _facts_of(organization: Organization, open_items: list[OpenItem] | None = None) -> ClosingFacts:
    is_sample = organization.is_demo or organization.is_synthetic
    return ClosingFacts(clock.now(), organization.closed_at, is_sample, tuple(open_items or ()))


def _locked(organization_id: OrganizationId) -> Organization:
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    return organization


def _close(
    context: ExecutionContext,
    organization: Organization,
    reason: str,
    after: dict[str, object],
    before: dict[str, object] | None = None,
) -> None:
    organization_id = OrganizationId(organization.pk)
    organization.closed_at = clock.now()
    organization.save(update_fields=["closed_at"])
    within = context.within(organization_id, is_demo=organization.is_demo)
    closing.run_closed(within, organization_id=organization_id)
    audit_append(
        within,
        events.ORGANIZATION_CLOSED,
        organization.audit_target,
        before={"closed_at": None, **(before or {})},
        after={"closed_at": organization.closed_at, **after},
        reason=reason,
    )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        sentence = "Say why: the reason is kept with the change for everybody who asks later."
        raise UnprocessableError(
            sentence,
            code="reason_required",
            title="A reason is required",
            errors=[FieldError("reason", "reason_required", sentence)],
        )


def _raise_if(refusal: ClosingRefusal | None) -> None:
    if refusal is not None:
        raise ConflictError(refusal.detail, code=refusal.code, title=refusal.title, explanation=refusal.reasons)
