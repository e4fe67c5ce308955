"""Users: people who sign in, or whom a product reported."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from apps.core import clock
from apps.core.constraints import name_prefix_index, words_index
from apps.core.emails import email_to_find
from apps.core.free_text import FreeCharField
from apps.core.ids import AuditTarget, WorkspaceId
from apps.tenants.contracts import Impersonator


class UserManager(BaseUserManager["User"]):
    """What Django's own commands need. The product makes users through `apps.tenants.services`."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=email_to_find(username or ""))

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Refused: platform roles are given by `manage.py create_staff`, which audits them."""
        raise NotImplementedError("There are no superusers here. Use: manage.py create_staff --role platform_admin")


class User(AbstractBaseUser, PermissionsMixin):
    """Signs in by e-mail. Staff have a platform role (a group); tenant roles are memberships."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = FreeCharField(max_length=200, blank=True, default="")
    external_id = models.CharField(max_length=200, blank=True, default="")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May sign in to the staff plane.")
    created_by_product = models.ForeignKey(
        "tenants.Product",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The product that may change this user's e-mail and name, beside the identity service.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when nothing personal is left but the id."
    )

    # Of a request's user alone: the one workspace that a visit from a product may see.
    portal_workspace_id: WorkspaceId | None = None
    # Of a request's user alone: who looks at the pages as this member.
    impersonator: Impersonator | None = None
    # Of a request's user alone: the identity service has proved a second factor of this session.
    has_proven_second_factor: bool = False

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints: ClassVar = [
            # Kept in lower case, so that one address is one user and a look-up uses the index.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case"),
            # Groups give platform roles; the flag that passes every check is not used.
            models.CheckConstraint(condition=Q(is_superuser=False), name="user_is_no_superuser"),
        ]
        indexes: ClassVar = [name_prefix_index("user_name_prefix"), words_index("user_words", "name", "email")]
        triggers: ClassVar = [
            # With `unique`: one mailbox, one user. A trigger and no check constraint, because rows from before that
            # could not be brought into the form must still be writable otherwise.
            pgtrigger.Trigger(
                name="user_email_has_one_form",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="""
                    IF (TG_OP = 'INSERT' OR NEW.email IS DISTINCT FROM OLD.email)
                        AND NEW.email !~ '^[!-~]+$' THEN
                        RAISE EXCEPTION 'The e-mail address of user % is not in its ASCII form.', NEW.id
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("user", self.pk)
