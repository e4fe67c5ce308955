"""People who work in the staff plane."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.errors import FieldError, UnprocessableError
from apps.core.locks import lock_name
from apps.core.operations import PLATFORM_LADDER
from apps.tenants import events
from apps.tenants.models import User
from apps.tenants.services.passwords import guard_password
from apps.tenants.services.refusals import read_email
from apps.tenants.services.results import Upserted


@transaction.atomic
def staff_create(
    context: ExecutionContext, *, email: str, name: str, role: Role, password: str, reason: str = ""
) -> Upserted[User]:
    """Make a user staff with exactly this platform role, making the user where there is none with the address.

    The password is set and must pass the validators; the second factor is enrolled at the first sign-in. Raises
    `UnprocessableError` for a role that is not a platform role, a weak password, or what is no e-mail address.
    """
    if role not in PLATFORM_LADDER:
        sentence = f"{role} is no platform role; choose one of {', '.join(PLATFORM_LADDER)}."
        raise UnprocessableError(sentence, errors=[FieldError("role", "unknown_role", sentence)])
    email = read_email(email)
    lock_name(f"user-email:{email}")
    user = User.objects.select_for_update(no_key=True).filter(email=email).first()
    is_created = user is None
    user = user or User(email=email)
    before = {"roles": sorted(user.groups.values_list("name", flat=True))} if not is_created else {}
    user.name = name or user.name
    guard_password(password, user)
    user.is_staff = True
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get(name=role.value)])
    audit_append(
        context,
        events.STAFF_ROLE_SET,
        user.audit_target,
        before=before,
        after={"roles": [role.value], "email": email},
        reason=reason,
    )
    return Upserted(user, is_created=is_created)
