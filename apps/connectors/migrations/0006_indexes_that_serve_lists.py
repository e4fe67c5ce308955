import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("connectors", "0005_unique_where_it_counts"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="connectorevent",
                    name="connector",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="timeline",
                        to="connectors.connector",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS connectors_connectorevent_connector_id_172e188d",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS connectors_connectorevent_connector_id_172e188d ON connectors_connectorevent (connector_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="monthstate",
                    name="connector",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="months",
                        to="connectors.connector",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS connectors_monthstate_connector_id_840afcd9",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS connectors_monthstate_connector_id_840afcd9 ON connectors_monthstate (connector_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="syncrun",
                    name="connector",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sync_runs",
                        to="connectors.connector",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS connectors_syncrun_connector_id_318b29ae",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS connectors_syncrun_connector_id_318b29ae ON connectors_syncrun (connector_id)",
                )
            ],
        ),
    ]
