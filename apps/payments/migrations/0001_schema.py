"""The webhook inbox and what is mirrored of the payment providers."""

import django.db.models.deletion
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
            name="GraceAnchor",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="grace_anchor",
                        serialize=False,
                        to="tenants.organization",
                    ),
                ),
                ("anchored_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("anchored_at"))), name="grace_anchor_ends_after"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderCustomer",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("deleted", "Deleted")], default="active", max_length=16
                    ),
                ),
                ("email", models.CharField(blank=True, default="", max_length=320)),
                ("default_payment_method_id", models.CharField(blank=True, default="", max_length=255)),
                ("checkout_completed_at", models.DateTimeField(blank=True, null=True)),
                ("credits_depleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderDispute",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("status", models.CharField(max_length=40)),
                ("reason", models.CharField(blank=True, default="", max_length=80)),
                ("charge_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("amount_minor", models.BigIntegerField(default=0)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                ("evidence_due_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderInvoice",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("open", "Open"),
                            ("paid", "Paid"),
                            ("uncollectible", "Uncollectible"),
                            ("void", "Void"),
                        ],
                        max_length=16,
                    ),
                ),
                ("number", models.CharField(blank=True, default="", max_length=120)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                ("amount_due_minor", models.BigIntegerField(default=0)),
                ("amount_paid_minor", models.BigIntegerField(default=0)),
                ("amount_remaining_minor", models.BigIntegerField(default=0)),
                ("total_minor", models.BigIntegerField(default=0)),
                ("subscription_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("issued_at", models.DateTimeField(blank=True, null=True)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
                ("period_start", models.DateTimeField(blank=True, null=True)),
                ("period_end", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("uncollectible_at", models.DateTimeField(blank=True, null=True)),
                ("lock_settled_at", models.DateTimeField(blank=True, null=True)),
                ("hosted_invoice_url", models.TextField(blank=True, default="")),
                ("invoice_pdf", models.TextField(blank=True, default="")),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderPaymentMethod",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "status",
                    models.CharField(choices=[("attached", "Attached"), ("detached", "Detached")], max_length=16),
                ),
                ("kind", models.CharField(blank=True, default="", max_length=40)),
                ("brand", models.CharField(blank=True, default="", max_length=40)),
                ("last4", models.CharField(blank=True, default="", max_length=4)),
                ("expires_month", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("expires_year", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderRefund",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("status", models.CharField(max_length=40)),
                ("charge_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("amount_minor", models.BigIntegerField(default=0, help_text="Given back so far.")),
                ("charged_minor", models.BigIntegerField(default=0)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProviderSubscription",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("external_id", models.CharField(max_length=255)),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("news_at", models.DateTimeField(help_text="The provider's time of the newest news.")),
                ("news_rank", models.SmallIntegerField(default=0)),
                ("news_id", models.CharField(blank=True, default="", max_length=255)),
                ("asked_ticket", models.PositiveIntegerField(default=0)),
                ("answered_ticket", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("incomplete", "Incomplete"),
                            ("trialing", "Trialing"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("paused", "Paused"),
                            ("ended", "Ended"),
                        ],
                        max_length=16,
                    ),
                ),
                ("workspace_id", models.UUIDField(blank=True, null=True)),
                ("plan_key", models.CharField(blank=True, default="", max_length=255)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("trial_ends_at", models.DateTimeField(blank=True, null=True)),
                ("period_start", models.DateTimeField(blank=True, null=True)),
                ("period_end", models.DateTimeField(blank=True, null=True)),
                ("cancel_at_period_end", models.BooleanField(default=False)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="WebhookEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(choices=[("stripe", "Stripe"), ("orb", "Orb")], max_length=16)),
                ("event_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=120)),
                (
                    "source",
                    models.CharField(
                        choices=[("webhook", "Webhook"), ("reconciliation", "Found by reconciliation")],
                        default="webhook",
                        max_length=16,
                    ),
                ),
                ("payload", models.JSONField()),
                ("occurred_at", models.DateTimeField(help_text="The provider's own time.")),
                ("received_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("processing", "Processing"),
                            ("processed", "Processed"),
                            ("ignored", "Ignored"),
                            ("unmatched", "Unmatched"),
                            ("failed", "Failed"),
                        ],
                        default="received",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("processed_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.TextField(blank=True, default="")),
                ("customer_external_id", models.CharField(blank=True, default="", max_length=255)),
                ("organization_id", models.UUIDField(blank=True, null=True)),
                ("request_id", models.CharField(max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["received", "processing"])),
                        fields=["next_try_at"],
                        name="webhook_event_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "unmatched")),
                        fields=["provider", "customer_external_id"],
                        name="webhook_event_unmatched",
                    ),
                    models.Index(fields=["status", "-received_at"], name="webhook_event_by_status"),
                    models.Index(fields=["-received_at"], name="webhook_event_latest"),
                    models.Index(fields=["organization_id", "-received_at"], name="webhook_event_tenant"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "event_id"), name="webhook_event_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("provider__in", ["stripe", "orb"])), name="webhook_event_provider_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["received", "processing", "processed", "ignored", "unmatched", "failed"])
                        ),
                        name="webhook_event_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("source__in", ["webhook", "reconciliation"])),
                        name="webhook_event_source_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("event_id", ""), _negated=True), models.Q(("type", ""), _negated=True)
                        ),
                        name="webhook_event_has_id_and_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lease_expires_at__isnull", False), ("status", "processing")),
                            models.Q(
                                models.Q(("status", "processing"), _negated=True), ("lease_expires_at__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="webhook_event_lease_iff_processing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("next_try_at__isnull", False), ("status__in", ["received", "processing"])),
                            models.Q(
                                models.Q(("status__in", ["received", "processing"]), _negated=True),
                                ("next_try_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="webhook_event_due_iff_waiting",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        choices=[
                            ("Checkout Session Started", "Checkout Started"),
                            ("Checkout Session Completed", "Checkout Completed"),
                            ("Grace Period Started", "Grace Started"),
                            ("Grace Period Ended", "Grace Ended"),
                            ("Subscription Started", "Subscription Started"),
                            ("Subscription Ended", "Subscription Ended"),
                            ("Subscription Cancelled", "Subscription Cancelled"),
                            ("Subscription Uncancelled", "Subscription Uncancelled"),
                            ("Plan Phase Change", "Plan Phase Change"),
                            ("Invoice Paid", "Invoice Paid"),
                            ("Invoice Payment Failed", "Invoice Failed"),
                            ("Invoice Uncollectible", "Invoice Uncollectible"),
                            ("Credits Granted", "Credits Granted"),
                            ("Credits Exhausted", "Credits Exhausted"),
                        ],
                        max_length=80,
                    ),
                ),
                (
                    "key",
                    models.CharField(help_text="The same cause again is the same event.", max_length=255, unique=True),
                ),
                ("properties", models.JSONField(default=dict)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("request_id", models.CharField(max_length=200)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization", "-occurred_at"], name="billing_event_tenant"),
                    models.Index(fields=["name", "occurred_at"], name="billing_event_by_name"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "name__in",
                                [
                                    "Checkout Session Started",
                                    "Checkout Session Completed",
                                    "Grace Period Started",
                                    "Grace Period Ended",
                                    "Subscription Started",
                                    "Subscription Ended",
                                    "Subscription Cancelled",
                                    "Subscription Uncancelled",
                                    "Plan Phase Change",
                                    "Invoice Paid",
                                    "Invoice Payment Failed",
                                    "Invoice Uncollectible",
                                    "Credits Granted",
                                    "Credits Exhausted",
                                ],
                            )
                        ),
                        name="billing_event_name_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(models.Q(("name", ""), _negated=True), models.Q(("key", ""), _negated=True)),
                        name="billing_event_has_name_and_key",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingevent",
            trigger=pgtrigger.compiler.Trigger(
                name="billing_event_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="e6a3efefe314f0fc91b25d03be44d3c3e41da96b",
                    operation="UPDATE",
                    pgid="pgtrigger_billing_event_is_not_updated_1dbe9",
                    table="payments_billingevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingevent",
            trigger=pgtrigger.compiler.Trigger(
                name="billing_event_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="b809787af786fa578b98c628793b28a8d18e038e",
                    operation="DELETE",
                    pgid="pgtrigger_billing_event_is_not_deleted_fd948",
                    table="payments_billingevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingevent",
            trigger=pgtrigger.compiler.Trigger(
                name="billing_event_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="88a8c708014304ab331db46c6eaa52f70fecc14b",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_billing_event_is_not_truncated_06283",
                    table="payments_billingevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="providercustomer",
            index=models.Index(fields=["provider", "customer_external_id"], name="providercustomer_customer"),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providercustomer_unique"),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providercustomer_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providercustomer_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "deleted"])), name="providercustomer_status_known"
            ),
        ),
        migrations.AddIndex(
            model_name="providerdispute",
            index=models.Index(fields=["provider", "customer_external_id"], name="providerdispute_customer"),
        ),
        migrations.AddConstraint(
            model_name="providerdispute",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providerdispute_unique"),
        ),
        migrations.AddConstraint(
            model_name="providerdispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providerdispute_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerdispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providerdispute_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerdispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency", ""), ("currency__regex", "^[A-Z]{3}$"), _connector="OR"),
                name="providerdispute_currency_is_iso",
            ),
        ),
        migrations.AddIndex(
            model_name="providerinvoice",
            index=models.Index(fields=["provider", "customer_external_id"], name="providerinvoice_customer"),
        ),
        migrations.AddIndex(
            model_name="providerinvoice",
            index=models.Index(fields=["organization", "-issued_at"], name="providerinvoice_latest"),
        ),
        migrations.AddConstraint(
            model_name="providerinvoice",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providerinvoice_unique"),
        ),
        migrations.AddConstraint(
            model_name="providerinvoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providerinvoice_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerinvoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providerinvoice_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerinvoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["draft", "open", "paid", "uncollectible", "void"])),
                name="providerinvoice_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerinvoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency", ""), ("currency__regex", "^[A-Z]{3}$"), _connector="OR"),
                name="providerinvoice_currency_is_iso",
            ),
        ),
        migrations.AddIndex(
            model_name="providerpaymentmethod",
            index=models.Index(fields=["provider", "customer_external_id"], name="providerpaymentmethod_customer"),
        ),
        migrations.AddConstraint(
            model_name="providerpaymentmethod",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providerpaymentmethod_unique"),
        ),
        migrations.AddConstraint(
            model_name="providerpaymentmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providerpaymentmethod_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpaymentmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providerpaymentmethod_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpaymentmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["attached", "detached"])), name="providerpaymentmethod_status_known"
            ),
        ),
        migrations.AddIndex(
            model_name="providerrefund",
            index=models.Index(fields=["provider", "customer_external_id"], name="providerrefund_customer"),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providerrefund_unique"),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providerrefund_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providerrefund_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency", ""), ("currency__regex", "^[A-Z]{3}$"), _connector="OR"),
                name="providerrefund_currency_is_iso",
            ),
        ),
        migrations.AddIndex(
            model_name="providersubscription",
            index=models.Index(fields=["provider", "customer_external_id"], name="providersubscription_customer"),
        ),
        migrations.AddIndex(
            model_name="providersubscription",
            index=models.Index(fields=["organization", "-started_at"], name="providersubscription_latest"),
        ),
        migrations.AddConstraint(
            model_name="providersubscription",
            constraint=models.UniqueConstraint(fields=("provider", "external_id"), name="providersubscription_unique"),
        ),
        migrations.AddConstraint(
            model_name="providersubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["stripe", "orb"])), name="providersubscription_provider_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="providersubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("external_id", ""), _negated=True), name="providersubscription_has_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="providersubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["incomplete", "trialing", "active", "past_due", "paused", "ended"])),
                name="providersubscription_status_known",
            ),
        ),
    ]
