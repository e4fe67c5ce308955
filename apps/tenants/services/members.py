"""Memberships: reported by products and the identity service, kept here (spec 02, Membership authority)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Scope
from apps.core.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, Reason, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.tenants import billing_contact, events
from apps.tenants.enums import MembershipOrigin
from apps.tenants.memberships import AHEAD_AT_MOST, ReportOutcome, is_outlived, judge
from apps.tenants.models import Membership, MembershipRemoval, Organization, User
from apps.tenants.selectors.members import is_last_owner, membership_for_update, removal_of
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.drift import drift_delete, explain_older_report, explain_owner_report, owner_report_store
from apps.tenants.services.refusals import unknown_organization, unknown_user
from apps.tenants.services.results import Upserted, values_of


@dataclass(frozen=True, slots=True)
class Removal:
    """Whether a removal ended the membership, and if not, why."""

    is_applied: bool = True
    explanation: tuple[Reason, ...] = ()


_KEPT = ("user_id", "role", "role_changed_at", "origin")


@transaction.atomic
def member_upsert(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    user_id: UserId,
    role: MembershipRole,
    changed_at: datetime | None = None,
    reason: str = "",
) -> Upserted[Membership]:
    """Make the membership or change its role, unless we hold newer news.

    Of an owner a product's report changes nothing: it is kept as drift. The organization's row is locked, so reports
    about one organization take turns: of sixteen first reports at once one creates. Raises `ForbiddenError`
    `owner_not_grantable`, `ConflictError` `last_owner`, `UnprocessableError` for an unknown user or a time ahead of
    ours.
    """
    _guard_time(changed_at)
    moment = changed_at or clock.now()
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    membership = membership_for_update(organization_id, user_id)
    if role == MembershipRole.OWNER and (membership is None or membership.role != MembershipRole.OWNER):
        _guard_grant(context)
    if membership is None:
        return _first_report(context, organization, user_id, role, moment, reason)
    return _later_report(context, membership, role, moment, reason)


def _later_report(
    context: ExecutionContext, membership: Membership, role: MembershipRole, moment: datetime, reason: str
) -> Upserted[Membership]:
    verdict = _verdict(context, membership, role, moment)
    if verdict is ReportOutcome.NOT_THEIRS:
        owner_report_store(context, membership=membership, role=role, changed_at=moment)
    elif verdict is ReportOutcome.APPLY:
        _change_role(context, membership, role, moment, reason)
    elif verdict is ReportOutcome.CONFIRM:
        # The same role said again is the newer news: an older contradiction that comes late may not undo it.
        membership.role_changed_at = moment
        membership.save(update_fields=["role_changed_at"])
    is_applied = verdict in {ReportOutcome.APPLY, ReportOutcome.CONFIRM}
    return Upserted(
        membership,
        is_created=False,
        is_applied=is_applied,
        explanation=() if is_applied else _why_not(context, membership, verdict),
    )


def may_change_owners(context: ExecutionContext) -> bool:
    """Of owners the identity service speaks, and staff and our own machinery; never a product."""
    return context.product_id is None or Scope.TENANTS_MANAGE in context.scopes


def _verdict(
    context: ExecutionContext, membership: Membership, role: MembershipRole | None, moment: datetime
) -> ReportOutcome:
    return judge(
        stored_role=MembershipRole(membership.role),
        stored_at=membership.role_changed_at,
        role=role,
        changed_at=moment,
        may_change_owners=may_change_owners(context),
    )


def _why_not(context: ExecutionContext, membership: Membership, verdict: ReportOutcome) -> tuple[Reason, ...]:
    if verdict is ReportOutcome.STALE:
        what = f"user {membership.user_id} has the role {membership.role}"
        return explain_older_report(what, membership.role_changed_at, f"membership:{membership.pk}")
    return explain_owner_report(context, membership)


def _guard_grant(context: ExecutionContext) -> None:
    if not may_change_owners(context):
        raise ForbiddenError(
            f"Product {context.actor.label} may not grant the role owner: products report memberships, they do not "
            "promote. An owner is named when the organization is made, or by the identity service.",
            code="owner_not_grantable",
            title="A product may not grant the role owner",
            explanation=[Reason("owner_grant", "deny", "the role asked for is owner", f"product:{context.product_id}")],
        )


def _guard_time(changed_at: datetime | None) -> None:
    if changed_at is not None and changed_at > clock.now() + AHEAD_AT_MOST:
        sentence = "The time lies more than 5 minutes ahead of our clock. Check the sender's clock, or leave it out."
        raise UnprocessableError(sentence, errors=[FieldError("changed_at", "in_the_future", sentence)])


def _first_report(
    context: ExecutionContext,
    organization: Organization,
    user_id: UserId,
    role: MembershipRole,
    moment: datetime,
    reason: str,
) -> Upserted[Membership]:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise unknown_user("user_id", user_id)
    removal = removal_of(OrganizationId(organization.pk), user_id)
    if removal is not None and is_outlived(changed_at=moment, removed_at=removal.removed_at):
        # A report that was under way while the member was removed must not bring them back.
        ghost = Membership(organization=organization, user=user, role=role, role_changed_at=removal.removed_at)
        why = explain_older_report(
            f"user {user_id} is no member", removal.removed_at, f"organization:{organization.pk}"
        )
        return Upserted(ghost, is_created=False, is_applied=False, explanation=why)
    membership = membership_create(
        context, organization=organization, user=user, role=role, moment=moment, reason=reason
    )
    return Upserted(membership, is_created=True)


def membership_create(
    context: ExecutionContext,
    *,
    organization: Organization,
    user: User,
    role: MembershipRole,
    moment: datetime | None = None,
    reason: str = "",
) -> Membership:
    """Insert the membership with its audit entry. The caller holds the organization's lock."""
    membership = Membership.objects.create(
        organization=organization,
        user=user,
        role=role,
        origin=_origin(context),
        origin_product_id=context.product_id if _origin(context) == MembershipOrigin.PRODUCT else None,
        role_changed_at=moment or clock.now(),
    )
    after = values_of(membership, *_KEPT)
    _audit(context, events.MEMBERSHIP_CREATED, membership, before={}, after=after, reason=reason)
    if role == MembershipRole.OWNER:
        billing_contact.tell(context, OrganizationId(organization.pk))
    return membership


def _origin(context: ExecutionContext) -> MembershipOrigin:
    if context.product_id is None:
        return MembershipOrigin.CONSOLE
    return MembershipOrigin.IDENTITY if Scope.TENANTS_MANAGE in context.scopes else MembershipOrigin.PRODUCT


def _change_role(
    context: ExecutionContext, membership: Membership, role: MembershipRole, moment: datetime, reason: str
) -> None:
    _guard_last_owner(membership)
    before = values_of(membership, "role", "role_changed_at")
    drift_delete(membership)
    membership.role = role
    membership.role_changed_at = moment
    membership.save(update_fields=["role", "role_changed_at"])
    after = values_of(membership, "role", "role_changed_at")
    _audit(context, events.MEMBERSHIP_ROLE_CHANGED, membership, before=before, after=after, reason=reason)
    if role == MembershipRole.OWNER:
        billing_contact.tell(context, OrganizationId(membership.organization_id))


@transaction.atomic
def member_remove(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    user_id: UserId,
    reason: str = "",
    changed_at: datetime | None = None,
) -> Removal:
    """End the membership and keep when, so that older news can't bring it back.

    A removal older than the role that we hold changes nothing, and neither does a product's removal of an owner, which
    is kept as drift. Raises `NotFoundError` when there is no membership, `ConflictError` `last_owner`,
    `UnprocessableError` for a time ahead of ours.
    """
    _guard_time(changed_at)
    if organization_for_update(organization_id) is None:
        raise unknown_organization(organization_id)
    membership = membership_for_update(organization_id, user_id)
    if membership is None:
        raise not_a_member(organization_id, user_id)
    # Without a time it is the newest news there is, also where a reporter's clock was ahead of ours.
    moment = changed_at or max(clock.now(), membership.role_changed_at)
    verdict = _verdict(context, membership, None, moment)
    if verdict is ReportOutcome.NOT_THEIRS:
        owner_report_store(context, membership=membership, role=None, changed_at=moment)
    if verdict is not ReportOutcome.APPLY:
        return Removal(is_applied=False, explanation=_why_not(context, membership, verdict))
    _guard_last_owner(membership)
    before = values_of(membership, *_KEPT)
    _audit(context, events.MEMBERSHIP_REMOVED, membership, before=before, after={}, reason=reason)
    MembershipRemoval.objects.update_or_create(
        organization_id=organization_id,
        user_id=user_id,
        defaults={"removed_at": moment, "reported_by_id": context.product_id},
    )
    drift_delete(membership)
    membership.delete()
    return Removal()


def not_a_member(organization_id: OrganizationId, user_id: UserId) -> NotFoundError:
    """The answer for a user without a membership."""
    return NotFoundError(
        f"User {user_id} is not a member of organization {organization_id}.",
        explanation=[
            Reason(
                "membership",
                "deny",
                f"the membership authority has no row for user {user_id}",
                f"organization:{organization_id}",
            )
        ],
    )


def _guard_last_owner(membership: Membership) -> None:
    if is_last_owner(membership):
        raise ConflictError(
            "This is the organization's last owner. Make somebody else an owner first.",
            code="last_owner",
            title="An organization keeps at least one owner",
            explanation=[
                Reason(
                    "last_owner",
                    "deny",
                    f"user {membership.user_id} is the only owner",
                    f"organization:{membership.organization_id}",
                )
            ],
        )


def _audit(
    context: ExecutionContext,
    event: AuditEvent,
    membership: Membership,
    *,
    before: dict[str, object],
    after: dict[str, object],
    reason: str = "",
) -> None:
    audit_append(
        context,
        event,
        membership.audit_target,
        before={"user_id": membership.user_id, **before} if before else {},
        after={"user_id": membership.user_id, **after} if after else {},
        reason=reason,
    )
