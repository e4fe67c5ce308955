from django.contrib.postgres.operations import AddIndexConcurrently
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("credits", "0012_balance_imports"),
        ("tenants", "0007_indexes_that_serve_lists"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="creditpolicy",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_policies",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS credits_creditpolicy_product_id_df277f1b",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS credits_creditpolicy_product_id_df277f1b ON credits_creditpolicy (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="operationprice",
                    name="policy",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prices",
                        to="credits.creditpolicy",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS credits_operationprice_policy_id_f90df181",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS credits_operationprice_policy_id_f90df181 ON credits_operationprice (policy_id)",
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="creditgrant",
            index=models.Index(fields=["-created_at"], name="credit_grant_latest"),
        ),
        AddIndexConcurrently(
            model_name="hold",
            index=models.Index(fields=["-created_at"], name="hold_latest"),
        ),
        AddIndexConcurrently(
            model_name="shadowdisagreement",
            index=models.Index(fields=["-seen_at"], name="shadow_disagreement_latest"),
        ),
        AddIndexConcurrently(
            model_name="shadowdisagreement",
            index=models.Index(fields=["difference", "-seen_at"], name="shadow_disagreement_kind"),
        ),
        AddIndexConcurrently(
            model_name="shadowdisagreement",
            index=models.Index(fields=["organization_id", "-seen_at"], name="shadow_disagreement_tenant"),
        ),
    ]
