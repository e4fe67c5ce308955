"""Organizations (the tenant and the billing account) and their workspaces."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import name_prefix_index, one_of, words_index
from apps.core.enums import LifecycleState
from apps.core.free_text import FreeCharField, FreeTextField
from apps.core.ids import AuditTarget
from apps.core.moments import zone_names
from apps.tenants.enums import OrganizationKind


def validate_time_zone(name: str) -> None:
    """Refuse what names no place in the IANA database, and no fixed offset."""
    if name not in zone_names():
        raise ValidationError(f"{name!r} is no IANA time zone of a place; use a name such as Europe/Berlin, or UTC.")


class Organization(models.Model):
    """The tenant. `is_demo` and `kind` are decided at creation and held by the database."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    name = FreeCharField(max_length=200)
    kind = models.CharField(max_length=16, choices=OrganizationKind.choices)
    is_demo = models.BooleanField(default=False)
    is_synthetic = models.BooleanField(default=False, help_text="Made by a cutover check, which removes it again.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    billing_email = models.EmailField(
        max_length=254,
        blank=True,
        default="",
        db_default="",
        help_text="Where payment providers send invoices and receipts; empty: to an owner.",
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("kind", OrganizationKind, "organization_kind_known"),
            models.CheckConstraint(condition=~Q(name=""), name="organization_has_name"),
        ]
        indexes: ClassVar = [
            name_prefix_index("organization_name_prefix"),
            words_index("organization_words", "name", "slug"),
            # The sample organizations, which every home page offers.
            models.Index(fields=["name"], condition=Q(is_demo=True), name="organization_demo"),
            # Lists of other records leave out what belongs to these few.
            models.Index(fields=["id"], condition=Q(is_synthetic=True), name="organization_synthetic"),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(name="organization_nature_is_fixed", fields=["is_demo", "kind"]),
            # The days to reopen count from it: it is written by the close and deleted by the reopening.
            pgtrigger.Protect(
                name="organization_closing_stands",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__closed_at__isnull=False, new__closed_at__isnull=False)
                & pgtrigger.Q(old__closed_at__df=pgtrigger.F("new__closed_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("organization", self.pk, self.pk)


class Workspace(models.Model):
    """Belongs to one organization for ever. The overlay (spec 03) counts only without a subscription record."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="workspaces")
    slug = models.SlugField(max_length=80, unique=True)
    name = FreeCharField(max_length=200)
    manual_lifecycle_state = models.CharField(max_length=32, choices=LifecycleState.choices, blank=True, default="")
    manual_lifecycle_reason = FreeTextField(blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("manual_lifecycle_state", LifecycleState, "workspace_overlay_known", also=[""]),
            models.CheckConstraint(
                condition=Q(manual_lifecycle_state="", manual_lifecycle_reason="")
                | (~Q(manual_lifecycle_state="") & ~Q(manual_lifecycle_reason="")),
                name="workspace_overlay_has_reason",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="workspace_has_name"),
        ]
        indexes: ClassVar = [name_prefix_index("workspace_name_prefix"), words_index("workspace_words", "name", "slug")]
        triggers: ClassVar = [pgtrigger.ReadOnly(name="workspace_organization_is_fixed", fields=["organization"])]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("workspace", self.pk, self.organization_id, self.pk)
