from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [("credits", "0022_batches_that_answer_from_what_they_insert")]

    operations = [
        AddIndexConcurrently(
            model_name="creditentry",
            index=models.Index(
                condition=models.Q(("kind", "consumption"), _negated=True),
                fields=["account", "kind", "-sequence"],
                name="credit_entry_of_kind",
            ),
        ),
    ]
