"""Users as products and the identity service report them."""

from __future__ import annotations

from django.db import transaction

from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import ConflictError
from apps.core.free_text import stored_form
from apps.core.ids import UserId
from apps.core.locks import lock_name
from apps.tenants import events
from apps.tenants.models import User
from apps.tenants.selectors.users import user_for_update
from apps.tenants.services.refusals import read_email
from apps.tenants.services.results import Upserted, change, values_of

_KEPT = ("email", "name")


@transaction.atomic
def user_upsert(context: ExecutionContext, *, user_id: UserId, email: str, name: str) -> Upserted[User]:
    """Make the user, or bring e-mail and name up to date. News of a person who was erased is not applied.

    Only the product that made the user, the identity service and our own console change an existing user; anyone
    else's news is not applied (spec 09, Provisioning). Raises `ConflictError` `email_taken` when another user has the
    mailbox, however it is spelled.
    """
    lock_name(f"user:{user_id}")
    email, name = read_email(email), stored_form(User, "name", name)
    user = user_for_update(user_id)
    if user is not None and (user.erased_at is not None or not _may_change(context, user)):
        return Upserted(user, is_created=False, is_applied=False)
    if user is not None and values_of(user, *_KEPT) == {"email": email, "name": name}:
        return Upserted(user, is_created=False)
    lock_name(f"user-email:{email}")
    if User.objects.filter(email=email).exclude(pk=user_id).exists():
        raise ConflictError(
            f"Another user has the e-mail address {email}. Two users can't share one; send the id of that user, or "
            "another address.",
            code="email_taken",
            title="The e-mail address belongs to another user",
        )
    return _create(context, user_id, email, name) if user is None else _update(context, user, email, name)


def _may_change(context: ExecutionContext, user: User) -> bool:
    if context.product_id is None:
        return True
    return context.product_id == user.created_by_product_id or Scope.TENANTS_MANAGE in context.scopes


def _create(context: ExecutionContext, user_id: UserId, email: str, name: str) -> Upserted[User]:
    user = User(id=user_id, email=email, name=name, created_by_product_id=context.product_id)
    user.set_unusable_password()
    user.save(force_insert=True)
    _audit(context, events.USER_CREATED, user, before={}, after=values_of(user, *_KEPT))
    return Upserted(user, is_created=True)


def _update(context: ExecutionContext, user: User, email: str, name: str) -> Upserted[User]:
    before = values_of(user, *_KEPT)
    change(user, email=email, name=name)
    _audit(context, events.USER_CHANGED, user, before=before, after=values_of(user, *_KEPT))
    return Upserted(user, is_created=False)


def _audit(
    context: ExecutionContext, event: AuditEvent, user: User, *, before: dict[str, object], after: dict[str, object]
) -> None:
    audit_append(context, event, user.audit_target, before=before, after=after)
