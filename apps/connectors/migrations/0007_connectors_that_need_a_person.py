import apps.connectors.enums
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("connectors", "0006_indexes_that_serve_lists"),
        ("tenants", "0007_indexes_that_serve_lists"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="connector",
            index=models.Index(
                condition=models.Q(
                    ("removed_at__isnull", True),
                    (
                        "status__in",
                        [
                            apps.connectors.enums.ConnectorStatus["AUTO_DISABLED"],
                            apps.connectors.enums.ConnectorStatus["NEEDS_REAUTHORIZATION"],
                        ],
                    ),
                ),
                fields=["-created_at", "id"],
                name="connector_needs_a_person",
            ),
        ),
        AddIndexConcurrently(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("status", apps.connectors.enums.SyncStatus["FAILED"])),
                fields=["-finished_at"],
                name="sync_run_failed",
            ),
        ),
    ]
