"""Outcomes of a policy, free quantity by the month of the organization's zone and in holds, partial reversals.

The checks of entries are validated by 0010, which locks nothing meanwhile.
"""

import apps.credits.models.policies
import django.contrib.postgres.fields
import pgtrigger.compiler
import pgtrigger.migrations
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0007_shadow_comparisons"),
        ("tenants", "0002_platform_roles"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="hold",
            name="hold_terms_are_fixed",
        ),
        migrations.RemoveConstraint(
            model_name="creditentry",
            name="credit_entry_sign_of_kind",
        ),
        migrations.AddField(
            model_name="creditentry",
            name="free_month",
            field=models.DateField(
                blank=True,
                help_text="First day of the month whose free quantity it was; of old entries the UTC month.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="local_charge",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="shadow_charge",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="hold",
            name="billing_mode",
            field=models.CharField(blank=True, db_default="", default="", max_length=8),
        ),
        migrations.AddField(
            model_name="hold",
            name="free_month",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="hold",
            name="free_quantity",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="operationprice",
            name="other_outcomes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                db_default=["failed", "canceled", "timed_out", "skipped"],
                default=apps.credits.models.policies.usual_other_outcomes,
                help_text="How a run may end without being charged.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="shadowdisagreement",
            name="entry_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="creditentry",
            name="free_quantity",
            field=models.BigIntegerField(
                default=0,
                help_text="How much of the quantity the free quantity covered; of a reversal, how much went back.",
            ),
        ),
        migrations.AlterField(
            model_name="shadowdisagreement",
            name="local_balance",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="shadowdisagreement",
            name="local_charge",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="shadowdisagreement",
            name="local_decision",
            field=models.CharField(blank=True, max_length=8),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="hold",
            trigger=pgtrigger.compiler.Trigger(
                name="hold_terms_are_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."product_id" IS DISTINCT FROM (NEW."product_id") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."free_quantity" IS DISTINCT FROM (NEW."free_quantity") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="edaaa0f0ecb3ff5c35f99e43eedd293c259e83c0",
                    operation="UPDATE",
                    pgid="pgtrigger_hold_terms_are_fixed_51d64",
                    table="credits_hold",
                    when="BEFORE",
                ),
            ),
        ),
        AddConstraintNotValid(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount__gt", 0), ("kind", "grant")),
                    models.Q(("amount__gte", 0), ("kind", "reversal")),
                    models.Q(("amount__lt", 0), ("kind__in", ["expiry", "void"])),
                    models.Q(("amount__lte", 0), ("kind__in", ["adjustment", "capture", "consumption"])),
                    _connector="OR",
                ),
                name="credit_entry_sign_of_kind",
            ),
        ),
        AddConstraintNotValid(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("local_charge__isnull", True),
                    models.Q(("amount", 0), ("shadow_charge__isnull", False)),
                    _connector="OR",
                ),
                name="credit_entry_local_charges_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("free_quantity", 0),
                    models.Q(
                        ("free_month__isnull", False),
                        ("free_quantity__gt", 0),
                        ("free_quantity__lte", models.F("quantity")),
                    ),
                    _connector="OR",
                ),
                name="hold_free_quantity_possible",
            ),
        ),
    ]
