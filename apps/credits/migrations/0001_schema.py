"""The ledger: accounts, entries, grants and their burns, holds, policies with their prices."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.lookups
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
            name="CreditEntry",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("sequence", models.BigIntegerField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("grant", "Grant"),
                            ("consumption", "Consumption"),
                            ("capture", "Capture"),
                            ("reversal", "Reversal"),
                            ("expiry", "Expiry"),
                            ("adjustment", "Adjustment"),
                        ]
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("balance_after", models.BigIntegerField()),
                ("product_id", models.UUIDField(blank=True, null=True)),
                ("operation", models.CharField(blank=True, default="", max_length=80)),
                ("quantity", models.BigIntegerField(default=0)),
                (
                    "free_quantity",
                    models.BigIntegerField(default=0, help_text="How much of the quantity the free quantity covered."),
                ),
                ("outcome", models.CharField(blank=True, default="", max_length=40)),
                (
                    "category",
                    models.TextField(
                        blank=True,
                        choices=[("regular", "Regular"), ("free", "Free"), ("internal", "Internal")],
                        default="",
                    ),
                ),
                ("is_billable", models.BooleanField(default=False)),
                ("is_late", models.BooleanField(default=False)),
                ("acting_user_id", models.UUIDField(blank=True, null=True)),
                ("workspace_id", models.UUIDField(blank=True, null=True)),
                ("run_id", models.CharField(blank=True, default="", max_length=255)),
                ("hold_id", models.UUIDField(blank=True, null=True)),
                ("policy_version", models.PositiveIntegerField(blank=True, null=True)),
                ("idempotency_key", models.CharField(blank=True, default="", max_length=255)),
                ("reason", models.TextField(blank=True, default="")),
                ("actor_label", models.CharField(max_length=254)),
                ("request_id", models.CharField(max_length=200)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "credit entries",
            },
        ),
        migrations.CreateModel(
            name="CreditGrant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "grant_type",
                    models.CharField(
                        choices=[
                            ("purchased", "Purchased"),
                            ("plan", "Plan"),
                            ("bonus", "Bonus"),
                            ("trial", "Trial"),
                            ("adjustment", "Adjustment"),
                            ("refund", "Refund"),
                        ],
                        max_length=16,
                    ),
                ),
                ("amount", models.BigIntegerField()),
                (
                    "remaining",
                    models.BigIntegerField(help_text="What is left of it, in micro-credits; 0 before it is posted."),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(default=100, help_text="0 to 255; the lowest is burned first."),
                ),
                (
                    "is_spent",
                    models.GeneratedField(
                        db_persist=True, expression=models.Q(("remaining", 0)), output_field=models.BooleanField()
                    ),
                ),
                ("effective_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("is_posted", models.BooleanField(default=False)),
                ("note", models.TextField(blank=True, default="")),
                (
                    "product_id",
                    models.UUIDField(blank=True, help_text="The product that granted; none for staff.", null=True),
                ),
                ("idempotency_key", models.CharField(blank=True, db_default="", default="", max_length=255)),
                ("granted_by", models.CharField(max_length=254)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="CreditPolicy",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("version", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published")], default="draft", max_length=16
                    ),
                ),
                ("effective_from", models.DateTimeField()),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "credit policies",
            },
        ),
        migrations.CreateModel(
            name="FreeQuantity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("operation", models.CharField(max_length=80)),
                ("month", models.DateField(help_text="Its first day.")),
                ("used", models.BigIntegerField()),
            ],
            options={
                "verbose_name_plural": "free quantities",
            },
        ),
        migrations.CreateModel(
            name="GrantBurn",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("amount", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("operation", models.CharField(max_length=80)),
                ("quantity", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("captured", "Captured"),
                            ("released", "Released"),
                            ("expired", "Expired"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("acting_user_id", models.UUIDField(blank=True, null=True)),
                ("workspace_id", models.UUIDField(blank=True, null=True)),
                ("policy_version", models.PositiveIntegerField()),
                ("expires_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="OperationPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("operation", models.CharField(max_length=80)),
                ("unit", models.CharField(max_length=40)),
                ("unit_price", models.BigIntegerField()),
                ("minimum_charge", models.BigIntegerField(default=0)),
                (
                    "free_quantity",
                    models.BigIntegerField(default=0, help_text="Per organization and month, in micro-units."),
                ),
                (
                    "billable_outcomes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None),
                ),
                (
                    "quantum",
                    models.BigIntegerField(default=1, help_text="The smallest step of a charge, in micro-credits."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ShadowDisagreement",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(blank=True, null=True)),
                (
                    "difference",
                    models.CharField(
                        choices=[
                            ("unknown_operation", "Unknown operation"),
                            ("membership", "Membership"),
                            ("verdict", "Allow or deny"),
                            ("amount", "Amount"),
                            ("balance", "Balance"),
                        ],
                        max_length=20,
                    ),
                ),
                ("operation", models.CharField(max_length=80)),
                ("quantity", models.BigIntegerField()),
                ("local_decision", models.CharField(max_length=8)),
                ("local_balance", models.BigIntegerField()),
                ("local_charge", models.BigIntegerField()),
                ("central_decision", models.CharField(max_length=8)),
                ("central_code", models.CharField(max_length=64)),
                ("central_balance", models.BigIntegerField()),
                ("central_charge", models.BigIntegerField(blank=True, null=True)),
                ("request_id", models.CharField(max_length=200)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="CreditAccount",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="credit_account",
                        serialize=False,
                        to="tenants.organization",
                    ),
                ),
                ("balance", models.BigIntegerField(default=0)),
                ("held", models.BigIntegerField(default=0)),
                ("overdraft_limit", models.BigIntegerField(default=0)),
                ("floor", models.BigIntegerField(default=0)),
                ("last_sequence", models.BigIntegerField(default=0)),
                ("burned_sequence", models.BigIntegerField(db_default=0, default=0)),
                ("next_due_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_due_at__isnull", False)),
                        fields=["next_due_at"],
                        name="credit_account_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("held__gte", 0)), name="credit_account_held_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("overdraft_limit__gte", 0), ("overdraft_limit__lte", 1000000000000000)),
                        name="credit_account_overdraft_possible",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "balance__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("floor"), "+", models.F("held")
                                ),
                            )
                        ),
                        name="credit_account_above_floor",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "floor__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("overdraft_limit"), "*", models.Value(-1)
                                ),
                            )
                        ),
                        name="credit_account_floor_honest",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_account_stays",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="c4354a19c83f07c95ca1aef4bfdd245f97088422",
                    operation="DELETE",
                    pgid="pgtrigger_credit_account_stays_37314",
                    table="credits_creditaccount",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.creditaccount",
            ),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="reversal_of",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversal",
                to="credits.creditentry",
            ),
        ),
        migrations.AddField(
            model_name="creditgrant",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="credits.creditaccount",
            ),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="grant",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.creditgrant",
            ),
        ),
        migrations.AddField(
            model_name="creditpolicy",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="credit_policies", to="tenants.product"
            ),
        ),
        migrations.AddField(
            model_name="freequantity",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="credits.creditaccount",
            ),
        ),
        migrations.AddField(
            model_name="freequantity",
            name="product",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.product"
            ),
        ),
        migrations.AddField(
            model_name="grantburn",
            name="entry",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="burns", to="credits.creditentry"
            ),
        ),
        migrations.AddField(
            model_name="grantburn",
            name="grant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="burns",
                to="credits.creditgrant",
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="holds",
                to="credits.creditaccount",
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.product"
            ),
        ),
        migrations.AddField(
            model_name="operationprice",
            name="policy",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="prices", to="credits.creditpolicy"
            ),
        ),
        migrations.AddField(
            model_name="shadowdisagreement",
            name="product",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disagreements",
                to="tenants.product",
            ),
        ),
        migrations.CreateModel(
            name="UncoveredCharge",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="uncovered",
                        serialize=False,
                        to="credits.creditentry",
                    ),
                ),
                ("sequence", models.BigIntegerField(help_text="The entry's.")),
                ("amount_left", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uncovered",
                        to="credits.creditaccount",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                condition=models.Q(("is_spent", False)),
                fields=["account", "priority", "expires_at", "created_at"],
                name="credit_grant_burn_order",
            ),
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(fields=["account", "-created_at"], name="credit_grant_of_account"),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("grant_type__in", ["purchased", "plan", "bonus", "trial", "adjustment", "refund"])),
                name="credit_grant_type_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("amount__lte", 1000000000000000)),
                name="credit_grant_amount_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("remaining__gte", 0), ("remaining__lte", models.F("amount"))),
                name="credit_grant_remaining_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__lte", 255)), name="credit_grant_priority_possible"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__isnull", True), ("expires_at__gt", models.F("effective_at")), _connector="OR"
                ),
                name="credit_grant_expires_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_posted", True), ("remaining", 0), _connector="OR"),
                name="credit_grant_left_once_posted",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditgrant",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_grant_terms_are_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."grant_type" IS DISTINCT FROM (NEW."grant_type") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."priority" IS DISTINCT FROM (NEW."priority") OR OLD."effective_at" IS DISTINCT FROM (NEW."effective_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."product_id" IS DISTINCT FROM (NEW."product_id") OR OLD."idempotency_key" IS DISTINCT FROM (NEW."idempotency_key"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="7171d01699bfd9fc0199f8fb0d154ef1731d37e7",
                    operation="UPDATE",
                    pgid="pgtrigger_credit_grant_terms_are_fixed_75981",
                    table="credits_creditgrant",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditgrant",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_grant_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="f3090f0eb8562e5b0529fa2872640af767cc1c2c",
                    operation="DELETE",
                    pgid="pgtrigger_credit_grant_is_not_deleted_90278",
                    table="credits_creditgrant",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="creditentry",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["recorded_at"], name="credit_entry_recorded"),
        ),
        migrations.AddIndex(
            model_name="creditentry",
            index=models.Index(
                condition=models.Q(("grant__isnull", False)), fields=["grant"], name="credit_entry_of_grant"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.UniqueConstraint(fields=("account", "sequence"), name="credit_entry_place_unique"),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["grant", "consumption", "capture", "reversal", "expiry", "adjustment"])
                ),
                name="credit_entry_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("category__in", ["regular", "free", "internal", ""])),
                name="credit_entry_category_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    django.db.models.lookups.Exact(
                        django.db.models.lookups.GreaterThan(models.F("amount"), 0),
                        django.db.models.lookups.In(models.F("kind"), ["grant", "reversal"]),
                    ),
                    models.Q(models.Q(("kind", "expiry"), _negated=True), ("amount__lt", 0), _connector="OR"),
                ),
                name="credit_entry_sign_of_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount", 0),
                    models.Q(("kind__in", ["consumption", "capture"]), _negated=True),
                    models.Q(("category", "regular"), ("is_billable", True)),
                    _connector="OR",
                ),
                name="credit_entry_charges_regular_alone",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    django.db.models.lookups.Exact(models.F("kind"), "reversal"),
                    django.db.models.lookups.IsNull(models.F("reversal_of"), False),
                ),
                name="credit_entry_reverses_iff_reversal",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("free_quantity__gte", 0), ("quantity__gte", models.F("free_quantity"))),
                name="credit_entry_quantities",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_entry_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="38002455a12ef41155a9950ba6185bfc206c0e84",
                    operation="UPDATE",
                    pgid="pgtrigger_credit_entry_is_not_updated_ee9ce",
                    table="credits_creditentry",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_entry_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="e5332b4d6719c925ec5fe3d60ec7e11ef88701af",
                    operation="DELETE",
                    pgid="pgtrigger_credit_entry_is_not_deleted_490a7",
                    table="credits_creditentry",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="credit_entry_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="08c1512e7f87518f9939562beb34f37c38e54c9d",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_credit_entry_is_not_truncated_3f328",
                    table="credits_creditentry",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpolicy",
            constraint=models.UniqueConstraint(fields=("product", "version"), name="credit_policy_version_unique"),
        ),
        migrations.AddConstraint(
            model_name="creditpolicy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "draft")), fields=("product",), name="credit_policy_one_draft"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["draft", "published"])), name="credit_policy_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("published_at__isnull", False), ("status", "published")),
                    models.Q(models.Q(("status", "published"), _negated=True), ("published_at__isnull", True)),
                    _connector="OR",
                ),
                name="credit_policy_published_at_iff_published",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="credit_policy_version_positive"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="published_credit_policy_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.status = 'published')",
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="5fbc5022ad44190685b51dc2532a38aa4e4128f6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_published_credit_policy_is_fixed_b12bd",
                    table="credits_creditpolicy",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="freequantity",
            constraint=models.UniqueConstraint(
                fields=("account", "product", "operation", "month"), name="free_quantity_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="freequantity",
            constraint=models.CheckConstraint(condition=models.Q(("used__gte", 0)), name="free_quantity_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="grantburn",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="grant_burn_not_zero"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="grantburn",
            trigger=pgtrigger.compiler.Trigger(
                name="grant_burn_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="42fd74ead09c3bd10166d65d1a2a898fa29a775f",
                    operation="UPDATE",
                    pgid="pgtrigger_grant_burn_is_not_updated_400a0",
                    table="credits_grantburn",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="grantburn",
            trigger=pgtrigger.compiler.Trigger(
                name="grant_burn_is_not_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="2de522a7f98a17d6f499a4ce1836df2c3432e0a9",
                    operation="DELETE",
                    pgid="pgtrigger_grant_burn_is_not_deleted_10072",
                    table="credits_grantburn",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="grantburn",
            trigger=pgtrigger.compiler.Trigger(
                name="grant_burn_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="8fd9bb0ea7380f810370ecb881556746a9e7b198",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_grant_burn_is_not_truncated_b0add",
                    table="credits_grantburn",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="hold",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["account", "expires_at"], name="hold_open_of_account"
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "captured", "released", "expired"])),
                name="hold_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0), ("quantity__gt", 0)), name="hold_amount_possible"
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("status", "open")),
                    models.Q(models.Q(("status", "open"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="hold_end_iff_ended",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="hold",
            trigger=pgtrigger.compiler.Trigger(
                name="hold_ends_once",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{open:captured,open:released,open:expired}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="c69956ecae90bf8defa737bd9b36c519df63c55d",
                    operation="UPDATE",
                    pgid="pgtrigger_hold_ends_once_564b9",
                    table="credits_hold",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="hold",
            trigger=pgtrigger.compiler.Trigger(
                name="hold_terms_are_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."product_id" IS DISTINCT FROM (NEW."product_id") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="05678ccbd4687b299734bfa3483652fb93d8ddf4",
                    operation="UPDATE",
                    pgid="pgtrigger_hold_terms_are_fixed_51d64",
                    table="credits_hold",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="operationprice",
            constraint=models.UniqueConstraint(fields=("policy", "operation"), name="operation_price_unique"),
        ),
        migrations.AddConstraint(
            model_name="operationprice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("free_quantity__gte", 0), ("minimum_charge__gte", 0), ("quantum__gte", 1), ("unit_price__gte", 0)
                ),
                name="operation_price_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="operationprice",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("operation", ""), _negated=True), models.Q(("unit", ""), _negated=True)),
                name="operation_price_named",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="operationprice",
            trigger=pgtrigger.compiler.Trigger(
                name="published_prices_are_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE policy uuid;",
                    func="FOREACH policy IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.policy_id] WHEN 'DELETE' THEN ARRAY[OLD.policy_id] ELSE ARRAY[OLD.policy_id, NEW.policy_id] END LOOP IF EXISTS (SELECT 1 FROM credits_creditpolicy p WHERE p.id = policy AND p.status = 'published') THEN RAISE EXCEPTION 'pgtrigger: Cannot change the prices of a published policy'; END IF; END LOOP; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;",
                    hash="a4ce12918d50181e76f2f5d3fc5462656e050bef",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_published_prices_are_fixed_8744b",
                    table="credits_operationprice",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="shadowdisagreement",
            index=models.Index(fields=["product", "-seen_at"], name="shadow_disagreement_recent"),
        ),
        migrations.AddConstraint(
            model_name="shadowdisagreement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("difference__in", ["unknown_operation", "membership", "verdict", "amount", "balance"])
                ),
                name="shadow_disagreement_class_known",
            ),
        ),
        migrations.AddIndex(
            model_name="uncoveredcharge",
            index=models.Index(
                condition=models.Q(("amount_left__gt", 0)), fields=["account", "sequence"], name="uncovered_charge_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="uncoveredcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_left__gte", 0)), name="uncovered_charge_not_negative"
            ),
        ),
    ]
