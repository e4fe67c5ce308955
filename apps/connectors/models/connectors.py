"""The connector: a workspace's configured link to an outside provider (spec 06, Connector)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.rules.causes import every_cause
from apps.connectors.rules.transitions import status_pairs
from apps.core import clock
from apps.core.constraints import one_of
from apps.core.free_text import FreeCharField
from apps.core.ids import AuditTarget
from apps.core.row_versions import kept_row_versions
from apps.subscriptions.models.version_counter import counts_versions
from apps.tenants.models import Workspace

# Moved by each sync, for machines: no version of the connector is kept or counted for them.
CLOCK_FIELDS = ("next_due_at", "last_success_at", "last_failure_at")

_MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"

# Nobody needs to look after those of a closed organization.
NEEDS_A_PERSON = Q(
    status__in=[ConnectorStatus.AUTO_DISABLED, ConnectorStatus.NEEDS_REAUTHORIZATION], removed_at__isnull=True
) & ~Q(auto_disable_causes__contains=[AutoDisableReason.ORGANIZATION_CLOSED])

# The last sync failed: nothing has succeeded since it was asked for.
IS_FAILING = Q(last_failure_at__isnull=False) & (
    Q(last_success_at__isnull=True) | Q(last_failure_at__gt=F("last_success_at"))
)


@kept_row_versions("ConnectorVersion", without=CLOCK_FIELDS)
class Connector(models.Model):
    """The database holds the legal moves of the status, and that exactly the auto-disabled ones have a reason.

    `provider` names an entry of `apps.connectors.providers`; the registry and not the database knows which there are,
    so that a provider is one file. `settings` hold no secret: that is `ConnectorCredential`. `auto_disable_causes` are
    those that stand now, oldest first (`apps.connectors.rules.causes`). A removed one is kept for its records, and its
    name is free again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="connectors")
    provider = models.SlugField(max_length=40, db_index=False)
    name = FreeCharField(max_length=200)
    settings = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=24, choices=ConnectorStatus.choices, default=ConnectorStatus.PENDING)
    auto_disable_reason = models.CharField(max_length=32, choices=AutoDisableReason.choices, blank=True, default="")
    auto_disable_causes = ArrayField(models.CharField(max_length=48), default=list, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(
        null=True, blank=True, help_text="When the last sync that failed was asked for; the database keeps it."
    )
    next_due_at = models.DateTimeField(null=True, blank=True)
    first_month = models.CharField(
        max_length=7, blank=True, default="", db_default="", help_text="Empty: 13 months before the one it was made in."
    )
    removed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("status", ConnectorStatus, "connector_status_known"),
            one_of("auto_disable_reason", AutoDisableReason, "connector_reason_known", also=[""]),
            models.CheckConstraint(
                condition=Q(status=ConnectorStatus.AUTO_DISABLED) & ~Q(auto_disable_reason="")
                | ~Q(status=ConnectorStatus.AUTO_DISABLED) & Q(auto_disable_reason=""),
                name="connector_reason_iff_auto_disabled",
            ),
            models.CheckConstraint(
                condition=Q(auto_disable_causes__contained_by=every_cause()), name="connector_causes_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=ConnectorStatus.ENABLED) | Q(auto_disable_causes=[]),
                name="connector_enabled_without_cause",
            ),
            models.CheckConstraint(
                condition=~Q(status=ConnectorStatus.AUTO_DISABLED) | ~Q(auto_disable_causes=[]),
                name="connector_auto_disabled_by_cause",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="connector_has_name"),
            models.CheckConstraint(condition=~Q(provider=""), name="connector_has_provider"),
            models.CheckConstraint(condition=Q(version__gte=1), name="connector_version_positive"),
            models.CheckConstraint(
                condition=Q(first_month="") | Q(first_month__regex=_MONTH), name="connector_first_month_is_one"
            ),
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(removed_at__isnull=True), name="connector_name_in_workspace"
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(status=ConnectorStatus.DISABLED),
                name="connector_removed_is_disabled",
            ),
        ]
        indexes: ClassVar = [
            # What the hourly firing asks: the enabled ones that are due, oldest first.
            models.Index(
                fields=["next_due_at", "id"], condition=Q(status=ConnectorStatus.ENABLED), name="connector_due"
            ),
            models.Index(fields=["-created_at", "id"], name="connector_latest"),
            models.Index(fields=["-created_at", "id"], condition=NEEDS_A_PERSON, name="connector_for_a_person"),
            models.Index(fields=["-created_at", "id"], condition=IS_FAILING, name="connector_failing"),
        ]
        triggers: ClassVar = [
            counts_versions("connector_counts_versions", table="connectors_connector", without=CLOCK_FIELDS),
            pgtrigger.FSM(name="connector_moves_legally", field="status", transitions=list(status_pairs())),
            pgtrigger.ReadOnly(name="connector_origin_is_fixed", fields=["workspace", "provider"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("connector", self.pk, self.workspace.organization_id, self.workspace_id)
