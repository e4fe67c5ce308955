from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("connectors", "0009_connectors_for_a_person"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("status", "succeeded"), _negated=True),
                fields=["status", "-created_at", "id"],
                name="sync_run_by_status",
            ),
        ),
        AddIndexConcurrently(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("trigger", "schedule"), _negated=True),
                fields=["trigger", "-created_at", "id"],
                name="sync_run_by_trigger",
            ),
        ),
    ]
