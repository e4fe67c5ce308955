"""Memberships: reported by products and the identity service, kept here (spec 02, Membership authority)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Scope
from apps.core.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, Reason, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.tenants import events
from apps.tenants.enums import MembershipOrigin
from apps.tenants.memberships import AHEAD_AT_MOST, Verdict, judge
from apps.tenants.models import Membership, MembershipRemoval, Organization, User
from apps.tenants.selectors.members import is_last_owner, membership_for_update, removal_of
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization, unknown_user
from apps.tenants.services.results import Upserted, values_of

_KEPT = ("role", "role_changed_at", "origin")


@transaction.atomic
def member_upsert(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    user_id: UserId,
    role: MembershipRole,
    changed_at: datetime | None = None,
) -> Upserted[Membership]:
    """Make the membership or change its role, unless we hold newer news.

    The organization's row is locked, so reports about one organization take turns: of sixteen first reports at once
    one creates. Raises `ForbiddenError` `owner_not_grantable`, `ConflictError` `last_owner`, `UnprocessableError` for
    an unknown user or a time ahead of ours.
    """
    _guard_report(context, role, changed_at)
    moment = changed_at or clock.now()
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    membership = membership_for_update(organization_id, user_id)
    if membership is None:
        return _first_report(context, organization, user_id, role, moment)
    verdict = judge(
        stored_role=MembershipRole(membership.role),
        stored_at=membership.role_changed_at,
        role=role,
        changed_at=moment,
    )
    if verdict is Verdict.APPLY:
        _change_role(context, membership, role, moment)
    elif verdict is Verdict.CONFIRM:
        # The same role said again is the newer news: an older contradiction that comes late may not undo it.
        membership.role_changed_at = moment
        membership.save(update_fields=["role_changed_at"])
    return Upserted(membership, is_created=False, is_applied=verdict is not Verdict.STALE)


def _guard_report(context: ExecutionContext, role: MembershipRole, changed_at: datetime | None) -> None:
    if context.product_id is not None and role == MembershipRole.OWNER and Scope.TENANTS_MANAGE not in context.scopes:
        raise ForbiddenError(
            f"Product {context.actor.label} may not grant the role owner: products report memberships, they do not "
            "promote. An owner is named when the organization is made, or by the identity service.",
            code="owner_not_grantable",
            title="A product may not grant the role owner",
            explanation=[Reason("owner_grant", "deny", "the role asked for is owner", f"product:{context.product_id}")],
        )
    if changed_at is not None and changed_at > clock.now() + AHEAD_AT_MOST:
        sentence = "The time lies more than 5 minutes ahead of our clock. Check the sender's clock, or leave it out."
        raise UnprocessableError(sentence, errors=[FieldError("changed_at", "in_the_future", sentence)])


def _first_report(
    context: ExecutionContext, organization: Organization, user_id: UserId, role: MembershipRole, moment: datetime
) -> Upserted[Membership]:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise unknown_user("user_id", user_id)
    removal = removal_of(OrganizationId(organization.pk), user_id)
    if removal is not None and moment <= removal.removed_at:
        # A report that was under way while the member was removed must not bring them back.
        ghost = Membership(organization=organization, user=user, role=role, role_changed_at=removal.removed_at)
        return Upserted(ghost, is_created=False, is_applied=False)
    membership = membership_create(context, organization=organization, user=user, role=role, moment=moment)
    return Upserted(membership, is_created=True)


def membership_create(
    context: ExecutionContext,
    *,
    organization: Organization,
    user: User,
    role: MembershipRole,
    moment: datetime | None = None,
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
    _audit(context, events.MEMBERSHIP_CREATED, membership, before={}, after=values_of(membership, *_KEPT))
    return membership


def _origin(context: ExecutionContext) -> MembershipOrigin:
    if context.product_id is None:
        return MembershipOrigin.CONSOLE
    return MembershipOrigin.IDENTITY if Scope.TENANTS_MANAGE in context.scopes else MembershipOrigin.PRODUCT


def _change_role(context: ExecutionContext, membership: Membership, role: MembershipRole, moment: datetime) -> None:
    _guard_last_owner(membership)
    before = values_of(membership, "role", "role_changed_at")
    membership.role = role
    membership.role_changed_at = moment
    membership.save(update_fields=["role", "role_changed_at"])
    after = values_of(membership, "role", "role_changed_at")
    _audit(context, events.MEMBERSHIP_ROLE_CHANGED, membership, before=before, after=after)


@transaction.atomic
def member_remove(
    context: ExecutionContext, *, organization_id: OrganizationId, user_id: UserId, reason: str = ""
) -> None:
    """End the membership and keep when, so that older news can't bring it back.

    Raises `NotFoundError` when there is none, `ConflictError` `last_owner`.
    """
    if organization_for_update(organization_id) is None:
        raise unknown_organization(organization_id)
    membership = membership_for_update(organization_id, user_id)
    if membership is None:
        raise not_a_member(organization_id, user_id)
    _guard_last_owner(membership)
    before = values_of(membership, *_KEPT)
    _audit(context, events.MEMBERSHIP_REMOVED, membership, before=before, after={}, reason=reason)
    MembershipRemoval.objects.update_or_create(
        organization_id=organization_id, user_id=user_id, defaults={"removed_at": clock.now()}
    )
    membership.delete()


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
        event=event,
        target_type="membership",
        target_id=membership.pk,
        before={"user_id": membership.user_id, **before} if before else {},
        after={"user_id": membership.user_id, **after} if after else {},
        reason=reason,
        organization_id=OrganizationId(membership.organization_id),
    )
