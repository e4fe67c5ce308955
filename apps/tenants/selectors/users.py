"""Users to read, and the function that locks one."""

from __future__ import annotations

from apps.core.ids import UserId
from apps.tenants.models import User


def user_for_update(user_id: UserId) -> User | None:
    """Lock the user's row until the transaction ends; None when there is no such user."""
    return User.objects.select_for_update(no_key=True).filter(pk=user_id).first()


def user_by_email(email: str) -> User | None:
    """The user who signs in with this address, in whatever form it was typed."""
    try:
        return User.objects.get_by_natural_key(email.strip())
    except User.DoesNotExist:
        return None
