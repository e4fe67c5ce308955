from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [("credits", "0023_entries_by_kind")]

    operations = [
        AddIndexConcurrently(
            model_name="shadowdisagreement",
            index=models.Index(fields=["operation", "-seen_at"], name="shadow_disagreement_asked"),
        ),
    ]
