"""Accounts at zero or below are found by an index, whatever the number of accounts."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while everybody works.
    atomic = False

    dependencies = [("reporting", "0007_empty_accounts")]

    operations = [
        AddIndexConcurrently(
            model_name="accountrunway",
            index=models.Index(
                condition=models.Q(("is_empty", True)),
                fields=["account"],
                name="account_runway_empty",
            ),
        ),
    ]
