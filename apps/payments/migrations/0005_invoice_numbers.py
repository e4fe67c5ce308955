import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("payments", "0004_indexes_of_kept_events"),
        ("tenants", "0006_words_of_names"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="providerinvoice",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("number"), name="varchar_pattern_ops"
                ),
                name="providerinvoice_number_prefix",
            ),
        ),
    ]
