"""Links that people ask for themselves, and the invitation that a first membership brings."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, UserId
from apps.core.locks import lock_name
from apps.core.mails import mail_payload
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.tenants.enums import LinkKind
from apps.tenants.link_rules import MAILS_A_MAILBOX, REQUESTS_WINDOW
from apps.tenants.mails import staff_account_mail
from apps.tenants.models import Membership, MembershipRemoval, Organization, User
from apps.tenants.selectors.links import links_sent_since
from apps.tenants.selectors.users import user_by_email
from apps.tenants.services.members import member_upsert
from apps.tenants.services.results import Upserted
from apps.tenants.services.sign_in_links import has_signed_in, may_be_sent_links, sign_in_link_send

PREPARE_RESET = "password_reset.prepare"


@transaction.atomic
def password_reset_request(context: ExecutionContext, *, email: str) -> None:
    """Note that somebody asks for a new password; the worker finds out for whom.

    The same is done for every e-mail address, so that neither answer nor time tells which are known. The caller has
    counted the request as `GuessKind.MAIL`.
    """
    outbox_enqueue(context, kind=PREPARE_RESET, key=uuid.uuid4().hex, payload={"email": email})


@transaction.atomic
def password_reset_prepare(context: ExecutionContext, *, email: str) -> None:
    """Send the link if the address is known and its mailbox was not sent too many already."""
    user = user_by_email(email)
    if user is None or not user.is_active or not settings.PASSWORD_SIGN_IN:
        return
    # Two requests at once must not both find room in the mailbox.
    lock_name(f"mailbox:{user.pk}")
    now = clock.now()
    if user.is_staff:
        _notify_staff(context, user, now)
        return
    sent = links_sent_since(UserId(user.pk), LinkKind.PASSWORD_RESET, now - REQUESTS_WINDOW)
    if may_be_sent_links(user) and sent < MAILS_A_MAILBOX:
        sign_in_link_send(context, user_id=UserId(user.pk), kind=LinkKind.PASSWORD_RESET)


def _notify_staff(context: ExecutionContext, user: User, now: datetime) -> None:
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        # One an hour: the same key again is the same mail.
        key=f"staff-account:{user.pk}:{now:%Y-%m-%dT%H}",
        payload=mail_payload(staff_account_mail(user), to=[user.email]),
    )


@transaction.atomic
def member_report(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    user_id: UserId,
    role: MembershipRole,
    changed_at: datetime | None = None,
) -> Upserted[Membership]:
    """A membership as it is reported live; a person's very first one invites them where that is switched on.

    Raises as `member_upsert`, which reconciliation and imports call: they invite nobody.
    """
    outcome = member_upsert(context, organization_id=organization_id, user_id=user_id, role=role, changed_at=changed_at)
    if outcome.is_created and _is_to_be_invited(outcome.record):
        sign_in_link_send(context, user_id=user_id, kind=LinkKind.INVITATION)
    return outcome


def _is_to_be_invited(membership: Membership) -> bool:
    if not (settings.INVITATION_MAILS and settings.PASSWORD_SIGN_IN):
        return False
    user = User.objects.get(pk=membership.user_id)
    organization = Organization.objects.get(pk=membership.organization_id)
    is_real = not (organization.is_demo or organization.is_synthetic or organization.closed_at)
    return is_real and may_be_sent_links(user) and not has_signed_in(user) and _is_first(membership)


def _is_first(membership: Membership) -> bool:
    others = Membership.objects.filter(user=membership.user_id).exclude(pk=membership.pk)
    return not others.exists() and not MembershipRemoval.objects.filter(user=membership.user_id).exists()
