"""Commercial truth: plans, subscriptions, payment configs, scheduled changes, notes, evidence, receipts."""

import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_schema"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrganizationPaymentConfig",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("payment_provider_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                ("orb_customer_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                (
                    "payment_status",
                    models.CharField(
                        choices=[
                            ("uninitialized", "Uninitialized"),
                            ("okay", "Okay"),
                            ("grace_period", "Grace period"),
                            ("disabled", "Disabled"),
                            ("locked", "Locked"),
                            ("manual", "Manual"),
                        ],
                        default="uninitialized",
                        max_length=16,
                    ),
                ),
                (
                    "subscription_status",
                    models.CharField(
                        choices=[
                            ("pre_subscription", "Pre-subscription"),
                            ("subscribed", "Subscribed"),
                            ("unsubscribed", "Unsubscribed"),
                        ],
                        default="pre_subscription",
                        max_length=16,
                    ),
                ),
                ("grace_period_end_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grace_period_days",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="Of coming grace periods; empty: the default of 14.", null=True
                    ),
                ),
                (
                    "usage_category_override",
                    models.CharField(
                        blank=True, choices=[("free", "Free"), ("internal", "Internal")], default="", max_length=16
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="OrganizationPaymentConfigEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                ("payment_provider_id", models.CharField(blank=True, max_length=255, null=True)),
                ("orb_customer_id", models.CharField(blank=True, max_length=255, null=True)),
                ("payment_status", models.CharField(default="uninitialized", max_length=16)),
                ("subscription_status", models.CharField(default="pre_subscription", max_length=16)),
                ("grace_period_end_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grace_period_days",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="Of coming grace periods; empty: the default of 14.", null=True
                    ),
                ),
                ("usage_category_override", models.CharField(blank=True, default="", max_length=16)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PendingChange",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("end", "End the subscription"), ("change_plan", "Change the plan")], max_length=16
                    ),
                ),
                ("due_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("applied", "Applied"), ("cancelled", "Cancelled")],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("recorded_by", models.CharField(max_length=254)),
                ("reason", models.TextField()),
                ("recorded_at", models.DateTimeField()),
                ("settled_by", models.CharField(blank=True, default="", max_length=254)),
                ("settled_reason", models.TextField(blank=True, default="")),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                ("name", models.CharField(max_length=100)),
                ("price_minor", models.BigIntegerField(help_text="In the currency's minor unit (cents), an interval.")),
                ("currency", models.CharField(help_text="ISO 4217, upper case.", max_length=3)),
                ("interval", models.CharField(choices=[("month", "Month"), ("year", "Year")], max_length=8)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="PlanEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                ("slug", models.SlugField(db_index=False, max_length=80)),
                ("name", models.CharField(max_length=100)),
                ("price_minor", models.BigIntegerField(help_text="In the currency's minor unit (cents), an interval.")),
                ("currency", models.CharField(help_text="ISO 4217, upper case.", max_length=3)),
                ("interval", models.CharField(max_length=8)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderEvidence",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                (
                    "subject",
                    models.CharField(
                        choices=[
                            ("workspace_subscription", "Workspace subscription"),
                            ("payment_config", "Payment config"),
                        ],
                        max_length=32,
                    ),
                ),
                ("object_id", models.CharField(max_length=255)),
                ("verb", models.CharField(max_length=40)),
                ("claimed_state", models.CharField(max_length=40)),
                ("claimed_at", models.DateTimeField()),
                ("why_kept", models.TextField(help_text="Why it changed nothing.")),
                ("received_at", models.DateTimeField()),
                ("request_id", models.CharField(max_length=200)),
            ],
            options={
                "verbose_name_plural": "provider evidence",
            },
        ),
        migrations.CreateModel(
            name="WorkspaceNote",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("text", models.TextField()),
                ("author_id", models.CharField(blank=True, default="", max_length=64)),
                ("author_label", models.CharField(max_length=254)),
                ("written_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="WorkspaceSubscription",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("trialing", "Trialing"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("suspended", "Suspended"),
                            ("ended", "Ended"),
                        ],
                        max_length=16,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("trial_ends_at", models.DateTimeField(blank=True, null=True)),
                ("current_period_start", models.DateTimeField(blank=True, null=True)),
                ("current_period_end", models.DateTimeField(blank=True, null=True)),
                ("cancel_at_period_end", models.BooleanField(default=False)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "managed_by",
                    models.CharField(
                        choices=[("staff", "Staff"), ("stripe", "Stripe"), ("orb", "Orb")],
                        default="staff",
                        max_length=16,
                    ),
                ),
                (
                    "provider",
                    models.CharField(
                        blank=True, choices=[("stripe", "Stripe"), ("orb", "Orb")], default="", max_length=16
                    ),
                ),
                ("provider_subscription_id", models.CharField(blank=True, default="", max_length=255)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="WorkspaceSubscriptionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                ("state", models.CharField(max_length=16)),
                ("started_at", models.DateTimeField()),
                ("trial_ends_at", models.DateTimeField(blank=True, null=True)),
                ("current_period_start", models.DateTimeField(blank=True, null=True)),
                ("current_period_end", models.DateTimeField(blank=True, null=True)),
                ("cancel_at_period_end", models.BooleanField(default=False)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("managed_by", models.CharField(default="staff", max_length=16)),
                ("provider", models.CharField(blank=True, default="", max_length=16)),
                ("provider_subscription_id", models.CharField(blank=True, default="", max_length=255)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DecisionReceipt",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("lifecycle", "Lifecycle"), ("credits", "Credits"), ("access", "Access")],
                        max_length=16,
                    ),
                ),
                ("decision", models.CharField(choices=[("allow", "Allow"), ("deny", "Deny")], max_length=8)),
                ("code", models.CharField(max_length=64)),
                ("organization_id", models.UUIDField(blank=True, null=True)),
                ("workspace_id", models.UUIDField(blank=True, null=True)),
                ("actor_label", models.CharField(max_length=254)),
                ("question", models.JSONField()),
                ("chain", models.JSONField()),
                ("records", models.JSONField()),
                ("policy_version", models.PositiveIntegerField(blank=True, null=True)),
                ("request_id", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["created_at"], name="decision_receipt_age"),
                    models.Index(fields=["organization_id", "-created_at"], name="decision_receipt_tenant"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["lifecycle", "credits", "access"])),
                        name="decision_receipt_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("decision__in", ["allow", "deny"])), name="decision_receipt_decision_known"
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="decisionreceipt",
            trigger=pgtrigger.compiler.Trigger(
                name="decision_receipt_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="ce24aaf5e66985437695dfc2660696043cc52203",
                    operation="UPDATE",
                    pgid="pgtrigger_decision_receipt_is_not_updated_7b44b",
                    table="subscriptions_decisionreceipt",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="decisionreceipt",
            trigger=pgtrigger.compiler.Trigger(
                name="decision_receipt_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="1e2d1504965199db26ad2ff8dec3a05c260ae272",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_decision_receipt_is_not_truncated_5bc08",
                    table="subscriptions_decisionreceipt",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="organizationpaymentconfig",
            name="organization",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="payment_config", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="organizationpaymentconfigevent",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="organizationpaymentconfigevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="subscriptions.organizationpaymentconfig",
            ),
        ),
        migrations.AddField(
            model_name="pendingchange",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="pending_changes", to="tenants.workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("interval__in", ["month", "year"])), name="plan_interval_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("price_minor__gte", 0)), name="plan_price_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="plan_currency_is_iso"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="plan_has_name"),
        ),
        migrations.AddField(
            model_name="pendingchange",
            name="plan",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscriptions.plan",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_planevent" ("created_at", "currency", "id", "interval", "is_active", "name", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_minor", "slug") VALUES (NEW."created_at", NEW."currency", NEW."id", NEW."interval", NEW."is_active", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', NEW."id", NEW."price_minor", NEW."slug"); RETURN NULL;',
                    hash="efade0f49a6a3bf599096ca233eb9328ad41e203",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_3afac",
                    table="subscriptions_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "subscriptions_planevent" ("created_at", "currency", "id", "interval", "is_active", "name", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_minor", "slug") VALUES (NEW."created_at", NEW."currency", NEW."id", NEW."interval", NEW."is_active", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', NEW."id", NEW."price_minor", NEW."slug"); RETURN NULL;',
                    hash="4c9613d4b6d7dc1b342e54a79b5232167b0a80af",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_07827",
                    table="subscriptions_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_planevent" ("created_at", "currency", "id", "interval", "is_active", "name", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_minor", "slug") VALUES (OLD."created_at", OLD."currency", OLD."id", OLD."interval", OLD."is_active", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', OLD."id", OLD."price_minor", OLD."slug"); RETURN NULL;',
                    hash="d38f2cf22ee7dccfc12a63efbea646e55b318b37",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a1f28",
                    table="subscriptions_plan",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="planevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="subscriptions.plan",
            ),
        ),
        migrations.AddField(
            model_name="providerevidence",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="providerevidence",
            name="workspace",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.workspace",
            ),
        ),
        migrations.AddField(
            model_name="workspacenote",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="notes", to="tenants.workspace"
            ),
        ),
        migrations.AddField(
            model_name="workspacesubscription",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="subscriptions", to="subscriptions.plan"
            ),
        ),
        migrations.AddField(
            model_name="workspacesubscription",
            name="workspace",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="subscription", to="tenants.workspace"
            ),
        ),
        migrations.AddField(
            model_name="workspacesubscriptionevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="subscriptions.workspacesubscription",
            ),
        ),
        migrations.AddField(
            model_name="workspacesubscriptionevent",
            name="plan",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="subscriptions.plan",
            ),
        ),
        migrations.AddField(
            model_name="workspacesubscriptionevent",
            name="workspace",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tenants.workspace",
            ),
        ),
        migrations.AddIndex(
            model_name="organizationpaymentconfig",
            index=models.Index(
                condition=models.Q(("grace_period_end_at__isnull", False)),
                fields=["grace_period_end_at"],
                name="payment_config_grace_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("payment_status__in", ["uninitialized", "okay", "grace_period", "disabled", "locked", "manual"])
                ),
                name="payment_config_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(("subscription_status__in", ["pre_subscription", "subscribed", "unsubscribed"])),
                name="payment_config_subscription_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(("usage_category_override__in", ["free", "internal", ""])),
                name="payment_config_override_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("grace_period_end_at__isnull", False), ("payment_status", "grace_period")),
                    models.Q(
                        models.Q(("payment_status", "grace_period"), _negated=True),
                        ("grace_period_end_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="payment_config_grace_end_iff_grace",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("grace_period_days__isnull", True),
                    models.Q(("grace_period_days__gte", 1), ("grace_period_days__lte", 365)),
                    _connector="OR",
                ),
                name="payment_config_grace_days_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationpaymentconfig",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment_provider_id", ""), _negated=True),
                    models.Q(("orb_customer_id", ""), _negated=True),
                ),
                name="payment_config_customer_ids_not_empty",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="payment_config_counts_versions",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="NEW.version = OLD.version; IF NEW IS DISTINCT FROM OLD THEN NEW.version = OLD.version + 1; END IF; RETURN NEW;",
                    hash="ebfd28eddb2b6191610f01d60186afc0f65d42f6",
                    operation="UPDATE",
                    pgid="pgtrigger_payment_config_counts_versions_e2604",
                    table="subscriptions_organizationpaymentconfig",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="payment_config_moves_legally",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."payment_status", \':\', NEW."payment_status") = ANY(\'{disabled:locked,disabled:manual,disabled:okay,grace_period:disabled,grace_period:locked,grace_period:manual,grace_period:okay,locked:manual,locked:okay,manual:disabled,manual:locked,manual:okay,manual:uninitialized,okay:grace_period,okay:locked,okay:manual,uninitialized:grace_period,uninitialized:locked,uninitialized:manual,uninitialized:okay}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."payment_status" IS DISTINCT FROM NEW."payment_status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "payment_status" from "%" to "%" on table %\', OLD."payment_status", NEW."payment_status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="e4a1ad11589a7d1ba7bb9f5f0fdc358dbe4af285",
                    operation="UPDATE",
                    pgid="pgtrigger_payment_config_moves_legally_6402b",
                    table="subscriptions_organizationpaymentconfig",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="payment_config_subscribes_legally",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."subscription_status", \':\', NEW."subscription_status") = ANY(\'{pre_subscription:subscribed,subscribed:unsubscribed,unsubscribed:subscribed}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."subscription_status" IS DISTINCT FROM NEW."subscription_status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "subscription_status" from "%" to "%" on table %\', OLD."subscription_status", NEW."subscription_status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="470cb95d8062d22e902f9109c20c662e12dfb55f",
                    operation="UPDATE",
                    pgid="pgtrigger_payment_config_subscribes_legally_15c88",
                    table="subscriptions_organizationpaymentconfig",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="payment_config_organization_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="83fabb7c06b3e4ef79aaa2ca5d83529825d7bb1f",
                    operation="UPDATE",
                    pgid="pgtrigger_payment_config_organization_is_fixed_1970f",
                    table="subscriptions_organizationpaymentconfig",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_organizationpaymentconfigevent" ("created_at", "grace_period_days", "grace_period_end_at", "id", "orb_customer_id", "organization_id", "payment_provider_id", "payment_status", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscription_status", "usage_category_override", "version") VALUES (NEW."created_at", NEW."grace_period_days", NEW."grace_period_end_at", NEW."id", NEW."orb_customer_id", NEW."organization_id", NEW."payment_provider_id", NEW."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', NEW."id", NEW."subscription_status", NEW."usage_category_override", NEW."version"); RETURN NULL;',
                    hash="82ee1a10e2e3460de8ca6dca1d3ce87e9a7cfc11",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c3776",
                    table="subscriptions_organizationpaymentconfig",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "subscriptions_organizationpaymentconfigevent" ("created_at", "grace_period_days", "grace_period_end_at", "id", "orb_customer_id", "organization_id", "payment_provider_id", "payment_status", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscription_status", "usage_category_override", "version") VALUES (NEW."created_at", NEW."grace_period_days", NEW."grace_period_end_at", NEW."id", NEW."orb_customer_id", NEW."organization_id", NEW."payment_provider_id", NEW."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', NEW."id", NEW."subscription_status", NEW."usage_category_override", NEW."version"); RETURN NULL;',
                    hash="76f51f46753a9073febcd80be38dd56c202127a9",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_93d95",
                    table="subscriptions_organizationpaymentconfig",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfig",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_organizationpaymentconfigevent" ("created_at", "grace_period_days", "grace_period_end_at", "id", "orb_customer_id", "organization_id", "payment_provider_id", "payment_status", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscription_status", "usage_category_override", "version") VALUES (OLD."created_at", OLD."grace_period_days", OLD."grace_period_end_at", OLD."id", OLD."orb_customer_id", OLD."organization_id", OLD."payment_provider_id", OLD."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', OLD."id", OLD."subscription_status", OLD."usage_category_override", OLD."version"); RETURN NULL;',
                    hash="6ea30ce974f953183435f818f1acf7060c0c79b2",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_eb013",
                    table="subscriptions_organizationpaymentconfig",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationpaymentconfigevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="3ab1a1b51f8b4d78a6b3e815a9ef006b4432cfd7",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_097c5",
                    table="subscriptions_organizationpaymentconfigevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="pendingchange",
            index=models.Index(condition=models.Q(("status", "open")), fields=["due_at"], name="pending_change_due"),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["end", "change_plan"])), name="pending_change_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "applied", "cancelled"])), name="pending_change_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")), fields=("workspace",), name="pending_change_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "change_plan"), ("plan__isnull", False)),
                    models.Q(models.Q(("kind", "change_plan"), _negated=True), ("plan__isnull", True)),
                    _connector="OR",
                ),
                name="pending_change_plan_iff_changed",
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at__isnull", True), ("status", "open")),
                    models.Q(models.Q(("status", "open"), _negated=True), ("settled_at__isnull", False)),
                    _connector="OR",
                ),
                name="pending_change_settled_iff_not_open",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="planevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="9e0d9e6fefd23db3edfa1153144291e469f61633",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_f050b",
                    table="subscriptions_planevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="providerevidence",
            index=models.Index(fields=["workspace", "-claimed_at"], name="provider_evidence_workspace"),
        ),
        migrations.AddIndex(
            model_name="providerevidence",
            index=models.Index(fields=["organization", "-claimed_at"], name="provider_evidence_organization"),
        ),
        migrations.AddConstraint(
            model_name="providerevidence",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="provider_evidence_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerevidence",
            constraint=models.CheckConstraint(
                condition=models.Q(("subject__in", ["workspace_subscription", "payment_config"])),
                name="provider_evidence_subject_known",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="providerevidence",
            trigger=pgtrigger.compiler.Trigger(
                name="provider_evidence_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="0b30d0d9596b1a236caa1fb1503a90618bd1c23e",
                    operation="UPDATE",
                    pgid="pgtrigger_provider_evidence_is_not_updated_bf5e7",
                    table="subscriptions_providerevidence",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="providerevidence",
            trigger=pgtrigger.compiler.Trigger(
                name="provider_evidence_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="a6124c53b880addd085e8ce621545210b8f05e1a",
                    operation="DELETE",
                    pgid="pgtrigger_provider_evidence_is_not_deleted_1c458",
                    table="subscriptions_providerevidence",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="providerevidence",
            trigger=pgtrigger.compiler.Trigger(
                name="provider_evidence_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="397bb24c528a0e364d95d157c6be2e83853c5316",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_provider_evidence_is_not_truncated_ef071",
                    table="subscriptions_providerevidence",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="workspacenote",
            index=models.Index(fields=["workspace", "-written_at"], name="workspace_note_latest"),
        ),
        migrations.AddConstraint(
            model_name="workspacenote",
            constraint=models.CheckConstraint(
                condition=models.Q(("text", ""), _negated=True), name="workspace_note_has_text"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacenote",
            trigger=pgtrigger.compiler.Trigger(
                name="workspace_note_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="45d761bcdf59830528b2ed3034c32125ec633b13",
                    operation="UPDATE",
                    pgid="pgtrigger_workspace_note_is_not_updated_89290",
                    table="subscriptions_workspacenote",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacenote",
            trigger=pgtrigger.compiler.Trigger(
                name="workspace_note_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="0b525f4c1a8861a9683fb222eba806d9d51cc33d",
                    operation="DELETE",
                    pgid="pgtrigger_workspace_note_is_not_deleted_4b486",
                    table="subscriptions_workspacenote",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacenote",
            trigger=pgtrigger.compiler.Trigger(
                name="workspace_note_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="aed37722ba8a1433909c4034632dbe70f746bb0e",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_workspace_note_is_not_truncated_5dc63",
                    table="subscriptions_workspacenote",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="workspacesubscription",
            index=models.Index(fields=["trial_ends_at"], name="subscription_trial_end"),
        ),
        migrations.AddIndex(
            model_name="workspacesubscription",
            index=models.Index(fields=["current_period_end"], name="subscription_period_end"),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["trialing", "active", "past_due", "suspended", "ended"])),
                name="subscription_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("managed_by__in", ["staff", "stripe", "orb"])), name="subscription_managed_by_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb", ""])), name="subscription_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider", ""), _negated=True),
                fields=("provider", "provider_subscription_id"),
                name="subscription_unique_at_provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("provider", ""), ("provider_subscription_id", "")),
                    models.Q(
                        models.Q(("provider", ""), _negated=True),
                        models.Q(("provider_subscription_id", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="subscription_provider_iff_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("managed_by", "staff"), ("managed_by", models.F("provider")), _connector="OR"),
                name="subscription_managed_by_its_provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "trialing"), _negated=True), ("trial_ends_at__isnull", False), _connector="OR"
                ),
                name="subscription_trial_has_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("current_period_end__isnull", True), ("current_period_start__isnull", True)),
                    models.Q(
                        ("current_period_end__isnull", False),
                        ("current_period_start__isnull", False),
                        ("current_period_start__lt", models.F("current_period_end")),
                    ),
                    _connector="OR",
                ),
                name="subscription_period_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", False), ("state", "ended")),
                    models.Q(models.Q(("state", "ended"), _negated=True), ("ended_at__isnull", True)),
                    _connector="OR",
                ),
                name="subscription_end_iff_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_at__isnull", True), ("ended_at__gte", models.F("started_at")), _connector="OR"
                ),
                name="subscription_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="subscription_version_positive"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="subscription_counts_versions",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="NEW.version = OLD.version; IF NEW IS DISTINCT FROM OLD THEN NEW.version = OLD.version + 1; END IF; RETURN NEW;",
                    hash="2a6d42d83d8b1fd4e1f93f760e87af86df39c088",
                    operation="UPDATE",
                    pgid="pgtrigger_subscription_counts_versions_068e3",
                    table="subscriptions_workspacesubscription",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="subscription_moves_legally",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{trialing:active,trialing:ended,trialing:past_due,trialing:suspended,active:ended,active:past_due,active:suspended,past_due:active,past_due:ended,past_due:suspended,suspended:active,suspended:ended,suspended:past_due,ended:active,ended:trialing}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="95ce33d267cc9953c000326c847493b08f2f9e9a",
                    operation="UPDATE",
                    pgid="pgtrigger_subscription_moves_legally_9dbe5",
                    table="subscriptions_workspacesubscription",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="subscription_starts_legally",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state NOT IN ('active', 'trialing'))",
                    func="RAISE EXCEPTION 'pgtrigger: Cannot insert rows from % table', TG_TABLE_NAME;",
                    hash="f0de6b371471686a202dbff5151b2250784653f4",
                    operation="INSERT",
                    pgid="pgtrigger_subscription_starts_legally_f4d44",
                    table="subscriptions_workspacesubscription",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="subscription_workspace_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="115102a2768147335adede9748f5496f050219e5",
                    operation="UPDATE",
                    pgid="pgtrigger_subscription_workspace_is_fixed_cf28d",
                    table="subscriptions_workspacesubscription",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_workspacesubscriptionevent" ("cancel_at_period_end", "created_at", "current_period_end", "current_period_start", "ended_at", "id", "managed_by", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "provider", "provider_subscription_id", "started_at", "state", "trial_ends_at", "version", "workspace_id") VALUES (NEW."cancel_at_period_end", NEW."created_at", NEW."current_period_end", NEW."current_period_start", NEW."ended_at", NEW."id", NEW."managed_by", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', NEW."id", NEW."plan_id", NEW."provider", NEW."provider_subscription_id", NEW."started_at", NEW."state", NEW."trial_ends_at", NEW."version", NEW."workspace_id"); RETURN NULL;',
                    hash="0d23443e84ccb9db680464ca0eeabbedef9661ed",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_8b1de",
                    table="subscriptions_workspacesubscription",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "subscriptions_workspacesubscriptionevent" ("cancel_at_period_end", "created_at", "current_period_end", "current_period_start", "ended_at", "id", "managed_by", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "provider", "provider_subscription_id", "started_at", "state", "trial_ends_at", "version", "workspace_id") VALUES (NEW."cancel_at_period_end", NEW."created_at", NEW."current_period_end", NEW."current_period_start", NEW."ended_at", NEW."id", NEW."managed_by", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', NEW."id", NEW."plan_id", NEW."provider", NEW."provider_subscription_id", NEW."started_at", NEW."state", NEW."trial_ends_at", NEW."version", NEW."workspace_id"); RETURN NULL;',
                    hash="b0c25c10c413b038039604afa52236cad5825b93",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_4b2dd",
                    table="subscriptions_workspacesubscription",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscription",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "subscriptions_workspacesubscriptionevent" ("cancel_at_period_end", "created_at", "current_period_end", "current_period_start", "ended_at", "id", "managed_by", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "provider", "provider_subscription_id", "started_at", "state", "trial_ends_at", "version", "workspace_id") VALUES (OLD."cancel_at_period_end", OLD."created_at", OLD."current_period_end", OLD."current_period_start", OLD."ended_at", OLD."id", OLD."managed_by", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', OLD."id", OLD."plan_id", OLD."provider", OLD."provider_subscription_id", OLD."started_at", OLD."state", OLD."trial_ends_at", OLD."version", OLD."workspace_id"); RETURN NULL;',
                    hash="e77e681111e8be483a63e2d12d1c6d40e64e9d78",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_71acd",
                    table="subscriptions_workspacesubscription",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesubscriptionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="d66f57bfa059bc915001e10e273c2fdf36da7448",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_56999",
                    table="subscriptions_workspacesubscriptionevent",
                    when="BEFORE",
                ),
            ),
        ),
    ]
