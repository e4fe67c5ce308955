from django.contrib.postgres.operations import AddIndexConcurrently
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("payments", "0007_reconciliation_cursor"),
        ("tenants", "0007_indexes_that_serve_lists"),
    ]

    operations = [
        migrations.RenameIndex(
            model_name="providerdispute",
            new_name="providerdispute_news",
            old_name="providerdispute_latest",
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="billingevent",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS payments_billingevent_organization_id_bcee91d5",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_billingevent_organization_id_bcee91d5 ON payments_billingevent (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="review",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS payments_review_organization_id_95cd32a4",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_review_organization_id_95cd32a4 ON payments_review (organization_id)",
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="providercustomer",
            index=models.Index(fields=["-news_at"], name="providercustomer_news"),
        ),
        AddIndexConcurrently(
            model_name="providerinvoice",
            index=models.Index(fields=["-news_at"], name="providerinvoice_news"),
        ),
        AddIndexConcurrently(
            model_name="providerinvoice",
            index=models.Index(fields=["status", "-news_at"], name="providerinvoice_by_status"),
        ),
        AddIndexConcurrently(
            model_name="providerpaymentmethod",
            index=models.Index(fields=["-news_at"], name="providerpaymentmethod_news"),
        ),
        AddIndexConcurrently(
            model_name="providerrefund",
            index=models.Index(fields=["-news_at"], name="providerrefund_news"),
        ),
        AddIndexConcurrently(
            model_name="providersubscription",
            index=models.Index(fields=["-news_at"], name="providersubscription_news"),
        ),
        AddIndexConcurrently(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(("customer_external_id", ""), _negated=True),
                fields=["customer_external_id", "-received_at"],
                name="webhook_event_of_customer",
            ),
        ),
    ]
