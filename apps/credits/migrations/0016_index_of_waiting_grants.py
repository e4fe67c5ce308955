"""Grants that begin later, found by an index: a forecast asks for them, however many grants an account has had."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while everybody works.
    atomic = False

    dependencies = [("credits", "0015_price_previews")]

    operations = [
        AddIndexConcurrently(
            model_name="creditgrant",
            index=models.Index(
                condition=models.Q(("is_posted", False), ("voided_at__isnull", True)),
                fields=["account", "effective_at"],
                name="credit_grant_waiting",
            ),
        ),
    ]
