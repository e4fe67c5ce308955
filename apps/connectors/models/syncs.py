"""Sync runs, and what is known of each month of a connector (spec 06, Sync run, Month selection)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models.connectors import Connector
from apps.core.constraints import one_of
from apps.core.enums import AuthorizationSource, Role

ACTIVE = (SyncStatus.QUEUED, SyncStatus.RUNNING)
_NOTE_FAILURE = """
    UPDATE connectors_connector SET last_failure_at = NEW.created_at
    WHERE id = NEW.connector_id AND (last_failure_at IS NULL OR last_failure_at < NEW.created_at);
    RETURN NULL;
"""
_MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class SyncRun(models.Model):
    """One attempt to bring one month of one connector up to date. At most one of a month is active.

    Actor, role and source are those of whoever asked; the run itself is `system`, and asks before each page whether
    they still may. `claims` counts the workers that took it: a worker whose number is no longer the run's writes
    nothing. `lease_expires_at` of a running run is when its worker counts as dead; of a queued one, when it is handed
    out again. `tries` are those of the present page. The token of a caller with
    one must live at every page.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="sync_runs", db_index=False)
    month = models.CharField(max_length=7)
    trigger = models.CharField(max_length=16, choices=SyncTrigger.choices)
    reason = models.TextField(help_text="Why this month was chosen.")
    status = models.CharField(max_length=16, choices=SyncStatus.choices, default=SyncStatus.QUEUED)
    was_final = models.BooleanField(default=False, help_text="The month was final; changes are kept as adjustments.")
    actor_label = models.CharField(max_length=254)
    actor_id = models.CharField(max_length=64, blank=True, default="")
    role = models.CharField(max_length=32, choices=Role.choices)
    authorization_source = models.CharField(max_length=32, choices=AuthorizationSource.choices)
    token_id = models.UUIDField(null=True, blank=True, help_text="The service token that it was asked for with.")
    request_id = models.CharField(max_length=200)
    expected_records = models.PositiveIntegerField(
        null=True, blank=True, help_text="How small a person has confirmed that the month may become."
    )
    cursor = models.TextField(blank=True, default="", help_text="Empty: the first page.")
    pages = models.PositiveIntegerField(default=0)
    fetched = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    voided = models.PositiveIntegerField(default=0)
    claims = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True, default="")
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connector", "month"], condition=Q(status__in=ACTIVE), name="sync_run_one_active"
            ),
            one_of("status", SyncStatus, "sync_run_status_known"),
            one_of("trigger", SyncTrigger, "sync_run_trigger_known"),
            one_of("role", Role, "sync_run_role_known"),
            one_of("authorization_source", AuthorizationSource, "sync_run_source_known"),
            models.CheckConstraint(condition=Q(month__regex=_MONTH), name="sync_run_month_is_one"),
            models.CheckConstraint(
                condition=Q(status__in=ACTIVE, finished_at__isnull=True, lease_expires_at__isnull=False)
                | (~Q(status__in=ACTIVE) & Q(finished_at__isnull=False, lease_expires_at__isnull=True)),
                name="sync_run_finished_iff_over",
            ),
            models.CheckConstraint(
                condition=~Q(status=SyncStatus.FAILED) | ~Q(error_code=""), name="sync_run_failure_has_code"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["connector", "-created_at", "id"], name="sync_run_of_connector"),
            models.Index(fields=["connector", "-finished_at"], name="sync_run_outcomes"),
            models.Index(fields=["lease_expires_at", "id"], condition=Q(status__in=ACTIVE), name="sync_run_lease"),
            models.Index(fields=["-created_at", "id"], name="sync_run_latest"),
            # Most runs are the schedule's, and succeed: these are found by the index above.
            models.Index(
                fields=["status", "-created_at", "id"],
                condition=~Q(status=SyncStatus.SUCCEEDED),
                name="sync_run_by_status",
            ),
            models.Index(
                fields=["trigger", "-created_at", "id"],
                condition=~Q(trigger=SyncTrigger.SCHEDULE),
                name="sync_run_by_trigger",
            ),
            models.Index(fields=["-finished_at"], condition=Q(status=SyncStatus.FAILED), name="sync_run_failed"),
        ]
        triggers: ClassVar = [
            # Of the database, as runs fail in many ways. Locks the connector after the run.
            pgtrigger.Trigger(
                name="sync_run_failure_noted",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("status"),  # type: ignore[no-untyped-call]
                condition=pgtrigger.Q(new__status=SyncStatus.FAILED),
                func=_NOTE_FAILURE,
            )
        ]

    def __str__(self) -> str:
        return f"sync of {self.month}"


class MonthState(models.Model):
    """One month of one connector: the facts that the choice of months rests on.

    `read_at` is when the latest complete sync began to read it, `changed_at` when one that brought a change began;
    `reopened_at`, when it was last requested by name though it was final. While `shrink_asked_at` stands, a sync would
    have voided more of the month than it may: from `shrink_from` records to `shrink_to`, and a person is asked. After a
    no, `shrink_refused_at`, the month is read again a day later.
    """

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="months", db_index=False)
    month = models.CharField(max_length=7)
    read_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)
    shrink_asked_at = models.DateTimeField(null=True, blank=True)
    shrink_refused_at = models.DateTimeField(null=True, blank=True)
    shrink_from = models.PositiveIntegerField(null=True, blank=True)
    shrink_to = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "month"], name="month_state_unique"),
            models.CheckConstraint(condition=Q(month__regex=_MONTH), name="month_state_month_is_one"),
            models.CheckConstraint(
                condition=Q(shrink_asked_at__isnull=True)
                | Q(shrink_from__isnull=False, shrink_to__isnull=False, shrink_to__lt=F("shrink_from")),
                name="month_state_question_has_figures",
            ),
        ]

    def __str__(self) -> str:
        return self.month


class SeenRecords(models.Model):
    """One page of a run: the records that it found as they were, and the digest of the cursor that it gave.

    What neither it nor a write names is gone upstream. A row a page in place of a write to each record, which a sync
    would rewrite for nothing. A cursor comes once in a run, or its pages go in circles. Dropped when the run is over.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="seen")
    record_ids = ArrayField(models.BigIntegerField())
    cursor_digest = models.BinaryField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "cursor_digest"],
                condition=models.Q(cursor_digest__isnull=False),
                name="seen_records_cursor_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{len(self.record_ids)} records"
