"""Connectors, their credentials and authorizations, syncs, records and months."""

import django.contrib.postgres.fields
import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_schema"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Connector",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.SlugField(db_index=False, max_length=40)),
                ("name", models.CharField(max_length=200)),
                ("settings", models.JSONField(blank=True, default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("enabled", "Enabled"),
                            ("disabled", "Disabled"),
                            ("auto_disabled", "Auto-disabled"),
                            ("needs_reauthorization", "Needs re-authorization"),
                        ],
                        default="pending",
                        max_length=24,
                    ),
                ),
                (
                    "auto_disable_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("invalid_payment_method", "Invalid payment method"),
                            ("invoice_marked_uncollectible", "Invoice marked uncollectible"),
                            ("unsubscribed", "Unsubscribed"),
                            ("credits_exhausted", "Credits exhausted"),
                            ("too_many_failures", "Too many failures"),
                            ("credential_invalid", "Credential invalid"),
                        ],
                        default="",
                        max_length=32,
                    ),
                ),
                (
                    "auto_disable_causes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=48), blank=True, default=list, size=None
                    ),
                ),
                ("last_success_at", models.DateTimeField(blank=True, null=True)),
                ("next_due_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="connectors", to="tenants.workspace"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BillingRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("external_id", models.CharField(max_length=255)),
                ("month", models.CharField(max_length=7)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invoice", "Invoice"),
                            ("line", "Line"),
                            ("cost", "Cost"),
                            ("usage", "Usage"),
                            ("refund", "Refund"),
                            ("credit_note", "Credit note"),
                        ],
                        max_length=16,
                    ),
                ),
                ("description", models.TextField(blank=True)),
                ("occurred_at", models.DateTimeField()),
                ("quantity", models.CharField(blank=True, default="", max_length=64)),
                ("unit", models.CharField(blank=True, max_length=64)),
                ("amount_minor", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                (
                    "category",
                    models.CharField(
                        choices=[("regular", "Regular"), ("free", "Free"), ("internal", "Internal")], max_length=16
                    ),
                ),
                ("status", models.CharField(blank=True, max_length=64)),
                ("raw", models.JSONField()),
                ("digest", models.BinaryField()),
                ("seen_by", models.UUIDField()),
                ("first_seen_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("voided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "connector",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="records",
                        to="connectors.connector",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AuthorizationAttempt",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("workspace_id", models.UUIDField()),
                ("state_digest", models.CharField(max_length=64, unique=True)),
                ("session_digest", models.CharField(max_length=64)),
                ("started_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "connector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="authorization_attempts",
                        to="connectors.connector",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ConnectorCredential",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("none", "None"), ("api_key", "API key"), ("oauth", "OAuth")], max_length=16
                    ),
                ),
                ("ciphertext", models.BinaryField()),
                ("key_id", models.CharField(max_length=16)),
                ("last_four", models.CharField(blank=True, default="", max_length=4)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("stored_at", models.DateTimeField()),
                (
                    "connector",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credential",
                        to="connectors.connector",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ConnectorEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("enabled", "Enabled"),
                            ("disabled", "Disabled"),
                            ("auto_disabled", "Auto-disabled"),
                            ("restored", "Enabled again"),
                            ("cause_added", "Another cause keeps it off"),
                            ("cause_removed", "One cause went away"),
                            ("settings_changed", "Settings changed"),
                            ("credential_stored", "Credential stored"),
                            ("credential_replaced", "Credential replaced"),
                            ("credential_refused", "Credential refused by the provider"),
                            ("authorized", "Authorized"),
                            ("reauthorization_needed", "Re-authorization needed"),
                            ("authorization_refused", "Authorization refused"),
                            ("sync_queued", "Sync queued"),
                            ("sync_started", "Sync started"),
                            ("sync_taken_over", "Sync taken over"),
                            ("sync_succeeded", "Sync succeeded"),
                            ("sync_failed", "Sync failed"),
                            ("sync_cancelled", "Sync cancelled"),
                            ("sync_refused", "Sync refused"),
                            ("month_reopened", "Month reopened"),
                            ("month_final", "Month final"),
                            ("late_change", "Late change kept as an adjustment"),
                        ],
                        max_length=32,
                    ),
                ),
                ("sentence", models.TextField()),
                ("actor_label", models.CharField(max_length=254)),
                ("request_id", models.CharField(blank=True, default="", max_length=200)),
                ("occurred_at", models.DateTimeField()),
                (
                    "connector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="timeline", to="connectors.connector"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ConnectorVersion",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                ("provider", models.SlugField(db_index=False, max_length=40)),
                ("name", models.CharField(max_length=200)),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("status", models.CharField(default="pending", max_length=24)),
                ("auto_disable_reason", models.CharField(blank=True, default="", max_length=32)),
                (
                    "auto_disable_causes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=48), blank=True, default=list, size=None
                    ),
                ),
                ("last_success_at", models.DateTimeField(blank=True, null=True)),
                ("next_due_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="connectors.connector",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.workspace",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MonthState",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.CharField(max_length=7)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                ("reopened_at", models.DateTimeField(blank=True, null=True)),
                (
                    "connector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="months", to="connectors.connector"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SyncRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("month", models.CharField(max_length=7)),
                (
                    "trigger",
                    models.CharField(
                        choices=[("schedule", "Schedule"), ("cron", "Cron"), ("user", "Person"), ("api", "API")],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField(help_text="Why this month was chosen.")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                (
                    "was_final",
                    models.BooleanField(
                        default=False, help_text="The month was final; changes are kept as adjustments."
                    ),
                ),
                ("actor_label", models.CharField(max_length=254)),
                ("actor_id", models.CharField(blank=True, default="", max_length=64)),
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
                (
                    "token_id",
                    models.UUIDField(blank=True, help_text="The service token that it was asked for with.", null=True),
                ),
                ("request_id", models.CharField(max_length=200)),
                ("cursor", models.TextField(blank=True, default="", help_text="Empty: the first page.")),
                ("pages", models.PositiveIntegerField(default=0)),
                ("fetched", models.PositiveIntegerField(default=0)),
                ("created", models.PositiveIntegerField(default=0)),
                ("updated", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("voided", models.PositiveIntegerField(default=0)),
                ("claims", models.PositiveIntegerField(default=0)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("error_code", models.CharField(blank=True, default="", max_length=64)),
                ("error", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "connector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sync_runs", to="connectors.connector"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SeenRecords",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "record_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="seen", to="connectors.syncrun"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecordAdjustment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.CharField(max_length=7)),
                ("external_id", models.CharField(max_length=255)),
                (
                    "kind",
                    models.CharField(
                        choices=[("added", "Added"), ("changed", "Changed"), ("voided", "Voided")], max_length=16
                    ),
                ),
                ("amount_before", models.BigIntegerField(blank=True, null=True)),
                ("currency_before", models.CharField(blank=True, default="", max_length=3)),
                ("quantity_before", models.CharField(blank=True, default="", max_length=64)),
                ("amount_after", models.BigIntegerField(blank=True, null=True)),
                ("currency_after", models.CharField(blank=True, default="", max_length=3)),
                ("quantity_after", models.CharField(blank=True, default="", max_length=64)),
                ("noted_at", models.DateTimeField()),
                (
                    "connector",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="connectors.connector",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="connectors.syncrun"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="connector",
            index=models.Index(
                condition=models.Q(("status", "enabled")), fields=["next_due_at", "id"], name="connector_due"
            ),
        ),
        migrations.AddIndex(
            model_name="connector",
            index=models.Index(fields=["-created_at", "id"], name="connector_latest"),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["pending", "enabled", "disabled", "auto_disabled", "needs_reauthorization"])
                ),
                name="connector_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "auto_disable_reason__in",
                        [
                            "invalid_payment_method",
                            "invoice_marked_uncollectible",
                            "unsubscribed",
                            "credits_exhausted",
                            "too_many_failures",
                            "credential_invalid",
                            "",
                        ],
                    )
                ),
                name="connector_reason_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "auto_disabled"), models.Q(("auto_disable_reason", ""), _negated=True)),
                    models.Q(models.Q(("status", "auto_disabled"), _negated=True), ("auto_disable_reason", "")),
                    _connector="OR",
                ),
                name="connector_reason_iff_auto_disabled",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "auto_disable_causes__contained_by",
                        [
                            "invalid_payment_method",
                            "invoice_marked_uncollectible",
                            "unsubscribed",
                            "credits_exhausted",
                            "too_many_failures",
                            "credential_invalid",
                            "invalid_payment_method:workspace",
                            "invoice_marked_uncollectible:workspace",
                            "unsubscribed:workspace",
                            "credits_exhausted:workspace",
                        ],
                    )
                ),
                name="connector_causes_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "enabled"), _negated=True), ("auto_disable_causes", []), _connector="OR"
                ),
                name="connector_enabled_without_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "auto_disabled"), _negated=True),
                    models.Q(("auto_disable_causes", []), _negated=True),
                    _connector="OR",
                ),
                name="connector_auto_disabled_by_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="connector_has_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider", ""), _negated=True), name="connector_has_provider"
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="connector_version_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.UniqueConstraint(fields=("workspace", "name"), name="connector_unique_name_in_workspace"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_counts_versions",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="NEW.version = OLD.version; IF NEW IS DISTINCT FROM OLD THEN NEW.version = OLD.version + 1; END IF; RETURN NEW;",
                    hash="e988975ce08975aae9c69d42a706478f384a92d9",
                    operation="UPDATE",
                    pgid="pgtrigger_connector_counts_versions_183c3",
                    table="connectors_connector",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_moves_legally",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{auto_disabled:disabled,auto_disabled:enabled,auto_disabled:pending,disabled:enabled,disabled:pending,enabled:auto_disabled,enabled:disabled,enabled:needs_reauthorization,needs_reauthorization:auto_disabled,needs_reauthorization:disabled,needs_reauthorization:enabled,pending:auto_disabled,pending:disabled,pending:enabled}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="4310856859ed7ed60ea8a5aa6988de95e79c7ce6",
                    operation="UPDATE",
                    pgid="pgtrigger_connector_moves_legally_4c26e",
                    table="connectors_connector",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_origin_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id") OR OLD."provider" IS DISTINCT FROM (NEW."provider"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="793dddfe29de312a3191bad38d9c38d477008439",
                    operation="UPDATE",
                    pgid="pgtrigger_connector_origin_is_fixed_71284",
                    table="connectors_connector",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "connectors_connectorversion" ("auto_disable_causes", "auto_disable_reason", "created_at", "id", "last_success_at", "name", "next_due_at", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider", "settings", "status", "version", "workspace_id") VALUES (NEW."auto_disable_causes", NEW."auto_disable_reason", NEW."created_at", NEW."id", NEW."last_success_at", NEW."name", NEW."next_due_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', NEW."id", NEW."provider", NEW."settings", NEW."status", NEW."version", NEW."workspace_id"); RETURN NULL;',
                    hash="957bff10ebddce92dc260d54c5663039c692455e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_21261",
                    table="connectors_connector",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "connectors_connectorversion" ("auto_disable_causes", "auto_disable_reason", "created_at", "id", "last_success_at", "name", "next_due_at", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider", "settings", "status", "version", "workspace_id") VALUES (NEW."auto_disable_causes", NEW."auto_disable_reason", NEW."created_at", NEW."id", NEW."last_success_at", NEW."name", NEW."next_due_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', NEW."id", NEW."provider", NEW."settings", NEW."status", NEW."version", NEW."workspace_id"); RETURN NULL;',
                    hash="e3e1bd701c54b87439cf691fb8f840294105eb04",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_e6fb1",
                    table="connectors_connector",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connector",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "connectors_connectorversion" ("auto_disable_causes", "auto_disable_reason", "created_at", "id", "last_success_at", "name", "next_due_at", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider", "settings", "status", "version", "workspace_id") VALUES (OLD."auto_disable_causes", OLD."auto_disable_reason", OLD."created_at", OLD."id", OLD."last_success_at", OLD."name", OLD."next_due_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', OLD."id", OLD."provider", OLD."settings", OLD."status", OLD."version", OLD."workspace_id"); RETURN NULL;',
                    hash="70a075f9da1129e23dd616a7670be3c4ed70ae66",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a48ee",
                    table="connectors_connector",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="billingrecord",
            index=models.Index(fields=["connector", "month", "-occurred_at", "-id"], name="billing_record_of_month"),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.UniqueConstraint(fields=("connector", "external_id"), name="billing_record_unique"),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["invoice", "line", "cost", "usage", "refund", "credit_note"])),
                name="billing_record_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("category__in", ["regular", "free", "internal"])),
                name="billing_record_category_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="billing_record_names_upstream"
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("month__regex", "^20[0-9]{2}-(0[1-9]|1[0-2])$")), name="billing_record_month_is_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__isnull", True), ("currency", "")),
                    models.Q(("amount_minor__isnull", False), ("currency__regex", "^[A-Z]{3}$")),
                    _connector="OR",
                ),
                name="billing_record_amount_has_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("quantity", ""), ("quantity__regex", "^-?[0-9]{1,24}(\\.[0-9]{1,30})?$"), _connector="OR"
                ),
                name="billing_record_quantity_is_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="authorizationattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("started_at"))), name="authorization_attempt_ends"
            ),
        ),
        migrations.AddIndex(
            model_name="connectorcredential",
            index=models.Index(fields=["key_id", "id"], name="connector_credential_key"),
        ),
        migrations.AddConstraint(
            model_name="connectorcredential",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["none", "api_key", "oauth"])), name="connector_credential_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectorcredential",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "none"), _negated=True), name="connector_credential_is_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectorcredential",
            constraint=models.CheckConstraint(
                condition=models.Q(("key_id", ""), _negated=True), name="connector_credential_names_key"
            ),
        ),
        migrations.AddIndex(
            model_name="connectorevent",
            index=models.Index(fields=["connector", "-id"], name="connector_event_latest"),
        ),
        migrations.AddConstraint(
            model_name="connectorevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "created",
                            "enabled",
                            "disabled",
                            "auto_disabled",
                            "restored",
                            "cause_added",
                            "cause_removed",
                            "settings_changed",
                            "credential_stored",
                            "credential_replaced",
                            "credential_refused",
                            "authorized",
                            "reauthorization_needed",
                            "authorization_refused",
                            "sync_queued",
                            "sync_started",
                            "sync_taken_over",
                            "sync_succeeded",
                            "sync_failed",
                            "sync_cancelled",
                            "sync_refused",
                            "month_reopened",
                            "month_final",
                            "late_change",
                        ],
                    )
                ),
                name="connector_event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectorevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("sentence", ""), _negated=True), name="connector_event_has_sentence"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connectorevent",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_event_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="e0425c5d1dce8254544dc496f003d924d45254b7",
                    operation="UPDATE",
                    pgid="pgtrigger_connector_event_is_not_updated_24fbc",
                    table="connectors_connectorevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connectorevent",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_event_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="5cb77d2d49debbfecad7a504339429c8c3ffcbad",
                    operation="DELETE",
                    pgid="pgtrigger_connector_event_is_not_deleted_c5d1d",
                    table="connectors_connectorevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connectorevent",
            trigger=pgtrigger.compiler.Trigger(
                name="connector_event_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="1ba122dcf52f22e44d29a7bd3ab04bf3aa68cdb8",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_connector_event_is_not_truncated_4299a",
                    table="connectors_connectorevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="connectorversion",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="019d1f601cc94bec45b8e2f78945e9cb3b38e547",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_93131",
                    table="connectors_connectorversion",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="monthstate",
            constraint=models.UniqueConstraint(fields=("connector", "month"), name="month_state_unique"),
        ),
        migrations.AddConstraint(
            model_name="monthstate",
            constraint=models.CheckConstraint(
                condition=models.Q(("month__regex", "^20[0-9]{2}-(0[1-9]|1[0-2])$")), name="month_state_month_is_one"
            ),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["connector", "-created_at", "id"], name="sync_run_of_connector"),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["connector", "-finished_at"], name="sync_run_outcomes"),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("status__in", ("queued", "running"))),
                fields=["lease_expires_at", "id"],
                name="sync_run_lease",
            ),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["-created_at", "id"], name="sync_run_latest"),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ("queued", "running"))),
                fields=("connector", "month"),
                name="sync_run_one_active",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["queued", "running", "succeeded", "failed", "cancelled"])),
                name="sync_run_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("trigger__in", ["schedule", "cron", "user", "api"])), name="sync_run_trigger_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
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
                name="sync_run_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "authorization_source__in",
                        ["session", "service_token", "cron_token", "scheduler", "webhook_signature", "console"],
                    )
                ),
                name="sync_run_source_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("month__regex", "^20[0-9]{2}-(0[1-9]|1[0-2])$")), name="sync_run_month_is_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("finished_at__isnull", True),
                        ("lease_expires_at__isnull", False),
                        ("status__in", ("queued", "running")),
                    ),
                    models.Q(
                        models.Q(("status__in", ("queued", "running")), _negated=True),
                        ("finished_at__isnull", False),
                        ("lease_expires_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="sync_run_finished_iff_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "failed"), _negated=True),
                    models.Q(("error_code", ""), _negated=True),
                    _connector="OR",
                ),
                name="sync_run_failure_has_code",
            ),
        ),
        migrations.AddIndex(
            model_name="recordadjustment",
            index=models.Index(fields=["connector", "month", "-id"], name="record_adjustment_of_month"),
        ),
        migrations.AddConstraint(
            model_name="recordadjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["added", "changed", "voided"])), name="record_adjustment_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="recordadjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_before__isnull", True), ("currency_before", "")),
                    models.Q(("amount_before__isnull", False), ("currency_before__regex", "^[A-Z]{3}$")),
                    _connector="OR",
                ),
                name="record_adjustment_before_has_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="recordadjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_after__isnull", True), ("currency_after", "")),
                    models.Q(("amount_after__isnull", False), ("currency_after__regex", "^[A-Z]{3}$")),
                    _connector="OR",
                ),
                name="record_adjustment_after_has_currency",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recordadjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="record_adjustment_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="3d85bb311f0bb7b221e1b8a46226e3d934bf61bf",
                    operation="UPDATE",
                    pgid="pgtrigger_record_adjustment_is_not_updated_046b8",
                    table="connectors_recordadjustment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recordadjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="record_adjustment_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="46c4e41e795d5a6d629ad3e63fea6a5c402747db",
                    operation="DELETE",
                    pgid="pgtrigger_record_adjustment_is_not_deleted_ab2d7",
                    table="connectors_recordadjustment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recordadjustment",
            trigger=pgtrigger.compiler.Trigger(
                name="record_adjustment_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="25c7b8fc9fbd6275476ee6193c23c8822b4f4b79",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_record_adjustment_is_not_truncated_a875a",
                    table="connectors_recordadjustment",
                    when="BEFORE",
                ),
            ),
        ),
    ]
