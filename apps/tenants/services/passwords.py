"""Passwords of tenants: set by a link, changed on the account page."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import UserId
from apps.core.mails import mail_payload
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.tenants import events
from apps.tenants.enums import LinkKind
from apps.tenants.mails import password_changed_mail, zone_of
from apps.tenants.models import SignInLink, User
from apps.tenants.selectors.links import belongs_to_demos_alone, real_organizations_of
from apps.tenants.selectors.users import user_for_update


def guard_password(password: str, user: User) -> None:
    """Raise `UnprocessableError` with the validators' sentences for a password that is too weak."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        sentence = " ".join(error.messages)
        raise UnprocessableError(sentence, errors=[FieldError("password", "too_weak", sentence)]) from None


@transaction.atomic
def password_change(context: ExecutionContext, *, user_id: UserId, password: str) -> User:
    """Give a tenant a new password, which ends every other session of theirs, and tell them by mail.

    Open links to the account end with it: whoever had read one could undo the change. Raises `UnprocessableError` for
    a weak password, `ConflictError` for staff, whose passwords are changed in the back office, `NotFoundError`.
    """
    user = user_for_update(user_id)
    if user is None or not user.is_active:
        raise NotFoundError("There is no such account.")
    if user.is_staff:
        raise ConflictError("This is a staff account. Change its password in the back office.", code="staff_account")
    guard_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    now = clock.now()
    open_links = SignInLink.objects.filter(user=user, used_at=None, replaced_at=None).exclude(kind=LinkKind.PORTAL)
    open_links.update(replaced_at=now, sealed_token=None)
    mail = password_changed_mail(user, moment=now, time_zone=zone_of(real_organizations_of(user_id)))
    entry = audit_append(context, events.PASSWORD_SET, user.audit_target)
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"password-changed:{entry.pk}",
        payload=mail_payload(mail, to=[user.email]),
        is_demo=belongs_to_demos_alone(user_id),
    )
    return user
