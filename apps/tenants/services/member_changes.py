"""What people do with members: invite, change a role, remove (spec 02, Membership authority).

Owners and admins do so on the Members page, staff on the organization's page, always with a reason.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, Reason, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.mails import mail_payload
from apps.core.operations import PLATFORM_LADDER, require
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.tenants.enums import LinkKind
from apps.tenants.mails import new_member_mail
from apps.tenants.memberships import MemberRefusal, refuse_member_change
from apps.tenants.models import Membership, Organization, SignInLink, User
from apps.tenants.selectors.members import membership_for_update
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.selectors.users import user_by_email
from apps.tenants.services.members import member_remove, member_upsert
from apps.tenants.services.refusals import read_email, unknown_organization
from apps.tenants.services.sign_in_links import has_signed_in, may_be_sent_links, sign_in_link_send
from apps.tenants.services.users import user_upsert

INVITE, CHANGE = "member.invite", "members.change"
# A person who signed in as an admin must not be able to send strangers mails without end.
INVITATIONS_A_DAY = 50
_REFUSALS = {
    MemberRefusal.ABOVE_YOU: "{person} is {stored}, which is above your own role. Ask an owner of the organization.",
    MemberRefusal.HIGHER_THAN_YOURS: "You can't give a role above your own. Ask an owner of the organization.",
}


@transaction.atomic
def member_invite(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    email: str,
    name: str,
    role: MembershipRole,
    reason: str = "",
) -> Membership:
    """Make the person with this address a member, and tell them by mail how to sign in.

    Somebody who is new here becomes a user, unless people come from an identity service. Raises `ForbiddenError`,
    `ConflictError` for who is a member already, for staff, in a closed organization, and beyond so many invitations a
    day, and `UnprocessableError` for what is no address and without the reason that staff give.
    """
    organization = _organization(context, organization_id, INVITE, reason)
    _guard_open(organization)
    _guard(context, None, role, email)
    address = read_email(email)
    user = user_by_email(address)
    if user is None:
        user = _new_user(context, address, name)
    elif user.is_staff:
        raise ConflictError("This address belongs to our staff, who look at these pages without being members.")
    elif found := membership_for_update(organization_id, UserId(user.pk)):
        role_now = MembershipRole(found.role).label.lower()
        raise ConflictError(f"{address} is a member already, as {role_now}. Change the role in the list of members.")
    _guard_number(organization)
    user_id = UserId(user.pk)
    outcome = member_upsert(context, organization_id=organization_id, user_id=user_id, role=role, reason=reason)
    _tell(context, organization, user, reason)
    return outcome.record


@transaction.atomic
def member_invite_again(
    context: ExecutionContext, *, organization_id: OrganizationId, user_id: UserId, reason: str = ""
) -> Membership:
    """Send the invitation once more to somebody who never signed in. Raises as `member_invite`."""
    organization = _organization(context, organization_id, INVITE, reason)
    _guard_open(organization)
    membership = _membership(organization_id, user_id)
    if has_signed_in(membership.user):
        raise ConflictError(f"{membership.user.email} has signed in before, and needs no invitation.")
    _guard_number(organization)
    _tell(context, organization, membership.user, reason)
    return membership


@transaction.atomic
def member_role_change(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    user_id: UserId,
    role: MembershipRole,
    reason: str = "",
) -> Membership:
    """Give the member another role, at most one's own, of staff any; the same role again changes nothing.

    Raises `ForbiddenError`, `ConflictError` `last_owner`, `NotFoundError` for who is no member, `UnprocessableError`
    without the reason that staff give.
    """
    _organization(context, organization_id, CHANGE, reason)
    membership = _membership(organization_id, user_id)
    stored = MembershipRole(membership.role)
    _guard(context, stored, role, membership.user.email)
    if role == stored:
        return membership
    # The newest news there is, also where a product's clock was some minutes ahead of ours.
    moment = max(clock.now(), membership.role_changed_at + timedelta(microseconds=1))
    member_upsert(
        context, organization_id=organization_id, user_id=user_id, role=role, changed_at=moment, reason=reason
    )
    membership.refresh_from_db()
    return membership


@transaction.atomic
def member_end(
    context: ExecutionContext, *, organization_id: OrganizationId, user_id: UserId, reason: str = ""
) -> User:
    """Remove the member. The removal is remembered: older reports of products don't bring them back.

    Raises `ForbiddenError`, `ConflictError` `last_owner`, `NotFoundError` for who is no member, `UnprocessableError`
    without the reason that staff give.
    """
    _organization(context, organization_id, CHANGE, reason)
    membership = _membership(organization_id, user_id)
    _guard(context, MembershipRole(membership.role), None, membership.user.email)
    said = reason or "removed on the Members page"
    member_remove(context, organization_id=organization_id, user_id=user_id, reason=said)
    return membership.user


def _organization(
    context: ExecutionContext, organization_id: OrganizationId, operation: str, reason: str
) -> Organization:
    """The organization with its lock, which every change of members takes first."""
    require(context, operation)
    if context.role in PLATFORM_LADDER and not reason.strip():
        raise UnprocessableError("Say why.", errors=[FieldError("reason", "blank", "Say why.")])
    organization = organization_for_update(organization_id) if context.organization_id == organization_id else None
    if organization is None:
        raise unknown_organization(organization_id)
    return organization


def _guard_open(organization: Organization) -> None:
    if organization.closed_at is not None:
        raise ConflictError(f"{organization.name} is closed: nobody can be invited to it.")


def _membership(organization_id: OrganizationId, user_id: UserId) -> Membership:
    membership = membership_for_update(organization_id, user_id)
    if membership is None:
        raise NotFoundError("This person is no member any more. Nothing was changed.")
    return membership


def _guard(
    context: ExecutionContext, stored: MembershipRole | None, wanted: MembershipRole | None, person: str
) -> None:
    refusal = refuse_member_change(actor=context.role, stored=stored, wanted=wanted)
    if refusal is not None:
        sentence = _REFUSALS[refusal].format(person=person, stored=f"an {stored.label.lower()}" if stored else "")
        fact = (
            f"the role is {context.role.value}, the membership's {stored or 'none'}, the wanted one {wanted or 'none'}"
        )
        raise ForbiddenError(sentence, explanation=[Reason(refusal.value, "deny", fact)])


def _guard_number(organization: Organization) -> None:
    since = clock.now() - timedelta(days=1)
    links = SignInLink.objects.filter(organization=organization.pk, kind=LinkKind.INVITATION, created_at__gt=since)
    added = Membership.objects.filter(organization=organization.pk, origin_product=None, created_at__gt=since)
    if max(links.count(), added.count()) >= INVITATIONS_A_DAY:
        raise ConflictError(
            f"{INVITATIONS_A_DAY} people were invited in one day, which is the most. Try again tomorrow."
        )


def _new_user(context: ExecutionContext, address: str, name: str) -> User:
    if not settings.PASSWORD_SIGN_IN:
        sentence = (
            "Nobody with this address is known here yet. People come from your company's sign-in service: ask its "
            "administrators to add this person, then invite them."
        )
        raise UnprocessableError(sentence, errors=[FieldError("email", "impossible_value", sentence)])
    return user_upsert(context, user_id=UserId(uuid.uuid4()), email=address, name=name).record


def _tell(context: ExecutionContext, organization: Organization, user: User, reason: str) -> None:
    """Mail the invitation, or to somebody who has a way in that they are a member now. A demo tells nobody."""
    if organization.is_demo or organization.is_synthetic or not user.is_active:
        return
    if settings.PASSWORD_SIGN_IN and may_be_sent_links(user) and not has_signed_in(user):
        sign_in_link_send(context, user_id=UserId(user.pk), kind=LinkKind.INVITATION, reason=reason)
        return
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"new-member:{organization.pk}:{user.pk}:{uuid.uuid4().hex}",
        payload=mail_payload(new_member_mail(user, organization), to=[user.email]),
        organization_id=OrganizationId(organization.pk),
    )
