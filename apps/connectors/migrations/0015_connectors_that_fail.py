from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [("connectors", "0014_fill_last_failures")]

    operations = [
        AddIndexConcurrently(
            model_name="connector",
            index=models.Index(
                condition=models.Q(
                    ("last_failure_at__isnull", False),
                    models.Q(
                        ("last_success_at__isnull", True),
                        ("last_failure_at__gt", models.F("last_success_at")),
                        _connector="OR",
                    ),
                ),
                fields=["-created_at", "id"],
                name="connector_failing",
            ),
        ),
    ]
