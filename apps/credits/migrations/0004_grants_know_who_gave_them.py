"""A grant keeps the product and the key that it was given with, so that its entry, posted later perhaps, names them."""

from __future__ import annotations

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0003_accounts_of_existing_organizations"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="creditgrant",
            name="credit_grant_terms_are_fixed",
        ),
        migrations.AddField(
            model_name="creditgrant",
            name="idempotency_key",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddField(
            model_name="creditgrant",
            name="product_id",
            field=models.UUIDField(blank=True, help_text="The product that granted; none for staff.", null=True),
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
    ]
