"""Unique indexes built beside running writes: names of connectors that are not removed, pages of a run by cursor."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("connectors", "0004_records_and_clocks")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY connector_name_in_workspace"
                    " ON connectors_connector (workspace_id, name) WHERE removed_at IS NULL",
                    "DROP INDEX CONCURRENTLY connector_name_in_workspace",
                ),
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY seen_records_cursor_once"
                    " ON connectors_seenrecords (run_id, cursor_digest) WHERE cursor_digest IS NOT NULL",
                    "DROP INDEX CONCURRENTLY seen_records_cursor_once",
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="connector",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("removed_at__isnull", True)),
                        fields=("workspace", "name"),
                        name="connector_name_in_workspace",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="seenrecords",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("cursor_digest__isnull", False)),
                        fields=("run", "cursor_digest"),
                        name="seen_records_cursor_once",
                    ),
                ),
            ],
        ),
        # Goes once the new one stands.
        migrations.RemoveConstraint(model_name="connector", name="connector_unique_name_in_workspace"),
    ]
