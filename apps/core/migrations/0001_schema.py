"""Audit log, idempotency keys, outbox, job runs and what is remembered of them, with the triggers that protect them."""

import django.db.models.lookups
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "organization_id",
                    models.UUIDField(blank=True, help_text="Empty: in the platform's chain.", null=True),
                ),
                ("sequence", models.BigIntegerField()),
                ("event", models.CharField(max_length=80)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("user", "User"),
                            ("product", "Product"),
                            ("scheduler", "Scheduler"),
                            ("provider", "Provider"),
                            ("console", "Console"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor_id", models.CharField(blank=True, default="", max_length=64)),
                ("actor_label", models.CharField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("admin", "Admin"),
                            ("member", "Member"),
                            ("viewer", "Viewer"),
                            ("staff_reader", "Staff, read-only"),
                            ("support", "Support"),
                            ("billing_operations", "Billing operations"),
                            ("platform_admin", "Platform admin"),
                            ("service", "Service"),
                            ("system", "System"),
                            ("provider", "Provider"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "authorization_source",
                    models.CharField(
                        choices=[
                            ("session", "Session"),
                            ("service_token", "Service token"),
                            ("cron_token", "Cron token"),
                            ("scheduler", "Scheduler"),
                            ("webhook_signature", "Webhook signature"),
                            ("console", "Console"),
                        ],
                        max_length=32,
                    ),
                ),
                ("target_type", models.CharField(max_length=64)),
                ("target_id", models.CharField(max_length=255)),
                ("workspace_id", models.UUIDField(blank=True, null=True)),
                ("reason", models.TextField(blank=True, default="")),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                ("request_id", models.CharField(max_length=200)),
                ("recorded_at", models.DateTimeField()),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name_plural": "audit entries",
            },
        ),
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("scope", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=255)),
                ("operation", models.CharField(max_length=80)),
                ("body_hash", models.CharField(help_text="SHA-256 of the request's canonical form.", max_length=64)),
                ("outcome", models.TextField(choices=[("answered", "Answered"), ("refused", "Refused")])),
                (
                    "status",
                    models.SmallIntegerField(
                        blank=True, help_text="HTTP status of an answer; empty for a refusal.", null=True
                    ),
                ),
                ("answer", models.JSONField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64)),
                (
                    "slot",
                    models.CharField(help_text="The scheduled moment in UTC, or `manual:` and a UUID.", max_length=64),
                ),
                (
                    "slot_at",
                    models.DateTimeField(
                        blank=True, help_text="The scheduled moment; empty for a manual run.", null=True
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("schedule", "Schedule"),
                            ("cron", "Cron token"),
                            ("user", "User"),
                            ("console", "Console"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor_label", models.CharField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("admin", "Admin"),
                            ("member", "Member"),
                            ("viewer", "Viewer"),
                            ("staff_reader", "Staff, read-only"),
                            ("support", "Support"),
                            ("billing_operations", "Billing operations"),
                            ("platform_admin", "Platform admin"),
                            ("service", "Service"),
                            ("system", "System"),
                            ("provider", "Provider"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "authorization_source",
                    models.CharField(
                        choices=[
                            ("session", "Session"),
                            ("service_token", "Service token"),
                            ("cron_token", "Cron token"),
                            ("scheduler", "Scheduler"),
                            ("webhook_signature", "Webhook signature"),
                            ("console", "Console"),
                        ],
                        max_length=32,
                    ),
                ),
                ("request_id", models.CharField(max_length=200)),
                ("organization_id", models.UUIDField(blank=True, help_text="Empty: every organization.", null=True)),
                ("include_demo", models.BooleanField(default=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("counts", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="OutboxItem",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=255)),
                ("payload", models.JSONField()),
                ("organization_id", models.UUIDField(blank=True, db_index=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("in_progress", "In progress"),
                            ("done", "Done"),
                            ("parked", "Parked"),
                            ("suppressed", "Suppressed: a demo tenant's"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, default="")),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("user", "User"),
                            ("product", "Product"),
                            ("scheduler", "Scheduler"),
                            ("provider", "Provider"),
                            ("console", "Console"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor_label", models.CharField(max_length=254)),
                ("request_id", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "organization_id",
                    models.UUIDField(blank=True, editable=False, help_text="Empty: the platform's chain.", null=True),
                ),
                ("last_sequence", models.BigIntegerField(default=0)),
                ("last_hash", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id",), name="audit_chain_unique", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_sequence__gte", 0)), name="audit_chain_sequence_not_negative"
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditchain",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_chain_moves_on_by_one",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.last_sequence <> OLD.last_sequence + 1 OR NEW.organization_id IS DISTINCT FROM OLD.organization_id OR NEW.id <> OLD.id)",
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="ecd69f26734e65935dfe8b6c8a0de2372aaf0698",
                    operation="UPDATE",
                    pgid="pgtrigger_audit_chain_moves_on_by_one_567a7",
                    table="core_auditchain",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditchain",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_chain_is_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="79dc50253178a7227352fa5eebf8da3848e1b651",
                    operation="DELETE",
                    pgid="pgtrigger_audit_chain_is_kept_a797a",
                    table="core_auditchain",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditchain",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_chain_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="dde5ef7b70a8095cc95f73ef048375b0bdf1b8b5",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_audit_chain_is_not_truncated_38464",
                    table="core_auditchain",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["target_type", "target_id", "recorded_at"], name="audit_entry_target"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["workspace_id", "recorded_at"], name="audit_entry_workspace"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["-recorded_at"], name="audit_entry_recorded"),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.UniqueConstraint(
                fields=("organization_id", "sequence"), name="audit_entry_sequence_unique", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("sequence__gte", 1)), name="audit_entry_sequence_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("event", ""), _negated=True), name="audit_entry_names_event"
            ),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("actor_kind__in", ["user", "product", "scheduler", "provider", "console"])),
                name="audit_entry_actor_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "role__in",
                        [
                            "owner",
                            "admin",
                            "member",
                            "viewer",
                            "staff_reader",
                            "support",
                            "billing_operations",
                            "platform_admin",
                            "service",
                            "system",
                            "provider",
                        ],
                    )
                ),
                name="audit_entry_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "authorization_source__in",
                        ["session", "service_token", "cron_token", "scheduler", "webhook_signature", "console"],
                    )
                ),
                name="audit_entry_source_known",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_entry_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="4f037af3f11be77f705ca287876de36304b94771",
                    operation="UPDATE",
                    pgid="pgtrigger_audit_entry_is_not_updated_214d6",
                    table="core_auditentry",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_entry_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="f45c5788d3c84025bafd0f2cacad6d2213a78e20",
                    operation="DELETE",
                    pgid="pgtrigger_audit_entry_is_not_deleted_a1b12",
                    table="core_auditentry",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_entry_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="c807d8d1b6516bc0ffebc853f105b8b381b106e7",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_audit_entry_is_not_truncated_b137d",
                    table="core_auditentry",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotencyrecord",
            constraint=models.UniqueConstraint(fields=("scope", "key"), name="idempotency_record_unique"),
        ),
        migrations.AddConstraint(
            model_name="idempotencyrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["answered", "refused"])), name="idempotency_record_outcome_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotencyrecord",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    django.db.models.lookups.Exact(models.F("outcome"), "answered"),
                    django.db.models.lookups.IsNull(models.F("status"), False),
                ),
                name="idempotency_record_status_iff_answered",
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotencyrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__range", (200, 299))), name="idempotency_record_status_of_success"
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotencyrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("key", ""), _negated=True), models.Q(("scope", ""), _negated=True)),
                name="idempotency_record_has_key",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="idempotencyrecord",
            trigger=pgtrigger.compiler.Trigger(
                name="idempotency_record_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="4dc383cdcb94582e432c4a4cf48ea7956223e49d",
                    operation="UPDATE",
                    pgid="pgtrigger_idempotency_record_is_not_updated_a71b3",
                    table="core_idempotencyrecord",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="idempotencyrecord",
            trigger=pgtrigger.compiler.Trigger(
                name="idempotency_record_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="a53a731004059c21fba7c02fd3dfda98bb8c0350",
                    operation="DELETE",
                    pgid="pgtrigger_idempotency_record_is_not_deleted_7cb94",
                    table="core_idempotencyrecord",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="idempotencyrecord",
            trigger=pgtrigger.compiler.Trigger(
                name="idempotency_record_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="c34a395fcd2a0a7cd70f3d3dc73d1bc32c9e5164",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_idempotency_record_is_not_truncated_24b65",
                    table="core_idempotencyrecord",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(fields=["name", "-slot_at"], name="job_run_by_slot"),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("status__in", ["queued", "running"])),
                fields=["lease_expires_at"],
                name="job_run_open",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(fields=["-created_at"], name="job_run_created"),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.UniqueConstraint(fields=("name", "slot"), name="job_run_unique"),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["queued", "running", "succeeded", "failed", "skipped"])),
                name="job_run_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("trigger__in", ["schedule", "cron", "user", "console"])),
                name="job_run_trigger_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "role__in",
                        [
                            "owner",
                            "admin",
                            "member",
                            "viewer",
                            "staff_reader",
                            "support",
                            "billing_operations",
                            "platform_admin",
                            "service",
                            "system",
                            "provider",
                        ],
                    )
                ),
                name="job_run_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "authorization_source__in",
                        ["session", "service_token", "cron_token", "scheduler", "webhook_signature", "console"],
                    )
                ),
                name="job_run_source_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("slot_at__isnull", False), ("trigger", "schedule")),
                    models.Q(models.Q(("trigger", "schedule"), _negated=True), ("slot_at__isnull", True)),
                    _connector="OR",
                ),
                name="job_run_slot_at_iff_scheduled",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("finished_at__isnull", False),
                        ("lease_expires_at__isnull", True),
                        ("status__in", ["succeeded", "failed", "skipped"]),
                    ),
                    models.Q(
                        models.Q(("status__in", ["succeeded", "failed", "skipped"]), _negated=True),
                        ("finished_at__isnull", True),
                        ("lease_expires_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="job_run_finished_iff_over",
            ),
        ),
        migrations.AddIndex(
            model_name="outboxitem",
            index=models.Index(fields=["-created_at"], name="outbox_item_created"),
        ),
        migrations.AddIndex(
            model_name="outboxitem",
            index=models.Index(
                condition=models.Q(("status", "pending")), fields=["next_attempt_at"], name="outbox_item_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="outboxitem",
            index=models.Index(
                condition=models.Q(("status", "in_progress")), fields=["lease_expires_at"], name="outbox_item_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="outboxitem",
            index=models.Index(fields=["status", "-created_at"], name="outbox_item_by_status"),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.UniqueConstraint(fields=("kind", "key"), name="outbox_item_unique"),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["pending", "in_progress", "done", "parked", "suppressed"])),
                name="outbox_item_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("actor_kind__in", ["user", "product", "scheduler", "provider", "console"])),
                name="outbox_item_actor_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("kind", ""), _negated=True), models.Q(("key", ""), _negated=True)),
                name="outbox_item_has_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_expires_at__isnull", False), ("status", "in_progress")),
                    models.Q(models.Q(("status", "in_progress"), _negated=True), ("lease_expires_at__isnull", True)),
                    _connector="OR",
                ),
                name="outbox_item_lease_iff_in_progress",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboxitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status__in", ["done", "parked", "suppressed"])),
                    models.Q(("finished_at__isnull", True), ("status__in", ["pending", "in_progress"])),
                    _connector="OR",
                ),
                name="outbox_item_finished_iff_over",
            ),
        ),
    ]
