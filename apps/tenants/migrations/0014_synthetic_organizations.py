"""Finds what cutover checks have made, which the lists of staff leave out."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tenants", "0013_impersonations"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="organization",
            index=models.Index(
                condition=models.Q(("is_synthetic", True)), fields=["id"], name="organization_synthetic"
            ),
        ),
    ]
