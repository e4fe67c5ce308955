"""Rows are created by the clock of the product, which the test clock and sample data move."""

import apps.core.clock
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0009_drop_scheduled_changes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="organizationpaymentconfig",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="organizationpaymentconfigevent",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="plan",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="planevent",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="workspacesubscription",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="workspacesubscriptionevent",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
    ]
