from django.contrib.postgres.operations import AddIndexConcurrently
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("subscriptions", "0005_denials"),
        ("tenants", "0007_indexes_that_serve_lists"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="providerevidence",
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
                    "DROP INDEX CONCURRENTLY IF EXISTS subscriptions_providerevidence_organization_id_4ace9dde",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS subscriptions_providerevidence_organization_id_4ace9dde ON subscriptions_providerevidence (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="providerevidence",
                    name="workspace",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.workspace",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS subscriptions_providerevidence_workspace_id_22a51c0c",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS subscriptions_providerevidence_workspace_id_22a51c0c ON subscriptions_providerevidence (workspace_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="workspacenote",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="tenants.workspace",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS subscriptions_workspacenote_workspace_id_71a94122",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS subscriptions_workspacenote_workspace_id_71a94122 ON subscriptions_workspacenote (workspace_id)",
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(fields=["kind", "-created_at"], name="decision_receipt_of_kind"),
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(fields=["decision", "-created_at"], name="decision_receipt_of_answer"),
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(fields=["code", "-created_at"], name="decision_receipt_of_code"),
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(fields=["workspace_id", "-created_at"], name="decision_receipt_workspace"),
        ),
    ]
