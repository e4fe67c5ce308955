"""Begin and end impersonations, and keep in the audit log what was looked at (spec 08)."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.canonical import canonical_hash
from apps.core.context import ExecutionContext
from apps.core.enums import ActorKind
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, Reason
from apps.core.ids import OrganizationId, UserId
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.impersonation_rules import LASTS, SAME_VIEW_FOR, refuse_chosen
from apps.tenants.models import Impersonation, Organization, User
from apps.tenants.selectors.impersonations import (
    chosen_as,
    impersonation_for_update,
    open_of_staff_for_update,
)
from apps.tenants.selectors.users import user_for_update

START = "member.impersonate"


@transaction.atomic
def impersonation_start(
    context: ExecutionContext, *, organization_id: OrganizationId, user_id: UserId, reason: str
) -> Impersonation:
    """Begin to look as the member, for an hour; what the same person looked at before is ended.

    Raises `ForbiddenError`, `NotFoundError`, and `ConflictError` `member_not_impersonable`.
    """
    require(context, START)
    staff = _staff_of(context)
    member = User.objects.filter(pk=user_id).first()
    organization = Organization.objects.filter(pk=organization_id).first()
    if member is None or organization is None:
        raise NotFoundError("There is no such member.")
    refusal = refuse_chosen(chosen_as(member, organization_id, staff_id=UserId(staff.pk)))
    if refusal:
        raise ConflictError(refusal, code="member_not_impersonable")
    former = open_of_staff_for_update(UserId(staff.pk))
    if former is not None:
        _end(context, former, ImpersonationEnd.REPLACED)
    now = clock.real_now()
    begun = Impersonation.objects.create(
        staff=staff, member=member, organization=organization, reason=reason, started_at=now, ends_at=now + LASTS
    )
    after = {"member_id": member.pk, "member": member.email, "ends_at": begun.ends_at}
    audit_append(context, events.IMPERSONATION_STARTED, begun.audit_target, after=after, reason=reason)
    return begun


def _staff_of(context: ExecutionContext) -> User:
    """The member of staff, locked, so that two starts at once follow each other."""
    staff = user_for_update(UserId(UUID(context.actor.id))) if context.actor.kind is ActorKind.USER else None
    if staff is None:
        reason = Reason("actor", "deny", f"the actor is a {context.actor.kind.value}")
        raise ForbiddenError("Only a person looks as somebody else.", explanation=[reason])
    return staff


@transaction.atomic
def impersonation_view(context: ExecutionContext, *, impersonation_id: UUID, address: str) -> bool:
    """Keep that a page is viewed, before it is; False where the impersonation was ended meanwhile.

    `address` has its query, of which nothing but a hash is stored.
    """
    row = impersonation_for_update(impersonation_id)
    if row is None or row.ended_at is not None:
        return False
    now, digest = clock.real_now(), canonical_hash({"address": address})
    if row.last_view_hash == digest and row.last_viewed_at and now < row.last_viewed_at + SAME_VIEW_FOR:
        return True
    row.page_views, row.last_viewed_at, row.last_view_hash = row.page_views + 1, now, digest
    row.save(update_fields=["page_views", "last_viewed_at", "last_view_hash"])
    _keep(context, events.IMPERSONATION_VIEWED, row, path=address)
    return True


@transaction.atomic
def impersonation_refuse(context: ExecutionContext, *, impersonation_id: UUID, method: str, address: str = "") -> None:
    """Keep that something was refused. Leave out the address of what is no page of the organization."""
    row = impersonation_for_update(impersonation_id)
    if row is not None:
        _keep(context, events.IMPERSONATION_REFUSED, row, method=method, path=address)


def _keep(context: ExecutionContext, event: AuditEvent, row: Impersonation, *, path: str, method: str = "GET") -> None:
    after = {"member_id": row.member_id, "method": method, "path": path.partition("?")[0][:500]}
    audit_append(context, event, row.audit_target, after=after)


@transaction.atomic
def impersonation_end(context: ExecutionContext, *, impersonation_id: UUID, end: ImpersonationEnd) -> Impersonation:
    """End it; a second time changes nothing. Whoever began it may end it, with or without a role."""
    row = impersonation_for_update(impersonation_id)
    if row is None or str(row.staff_id) != context.actor.id:
        raise NotFoundError("There is no such impersonation.")
    if row.ended_at is None:
        _end(context, row, end)
    return row


def _end(context: ExecutionContext, row: Impersonation, end: ImpersonationEnd) -> None:
    now = clock.real_now()
    if now >= row.ends_at:
        end = ImpersonationEnd.EXPIRED
    row.ended_at, row.end = min(now, row.ends_at), end
    row.save(update_fields=["ended_at", "end"])
    after = {"member_id": row.member_id, "end": end.value, "page_views": row.page_views}
    audit_append(context, events.IMPERSONATION_ENDED, row.audit_target, after=after)
