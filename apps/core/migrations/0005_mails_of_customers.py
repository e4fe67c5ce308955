from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("core", "0004_indexes_of_job_runs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="outboxitem",
            index=models.Index(fields=["organization_id", "kind", "-created_at"], name="outbox_item_of_tenant"),
        ),
    ]
