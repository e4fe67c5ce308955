"""Rows are created by the clock of the product, which the test clock and sample data move."""

import apps.core.clock
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0011_first_month_of_connectors"),
    ]

    operations = [
        migrations.AlterField(
            model_name="connector",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="connectorversion",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
    ]
