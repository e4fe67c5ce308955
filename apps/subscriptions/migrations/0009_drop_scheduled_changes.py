"""A scheduled change can be dropped. The table has few rows: one for each change that staff ever scheduled."""

import apps.subscriptions.enums
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0008_subscription_scope"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="pendingchange", name="pending_change_status_known"),
        migrations.AlterField(
            model_name="pendingchange",
            name="status",
            field=models.CharField(
                choices=[("open", "Open"), ("applied", "Applied"), ("cancelled", "Cancelled"), ("dropped", "Dropped")],
                default=apps.subscriptions.enums.PendingChangeStatus["OPEN"],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "applied", "cancelled", "dropped"])),
                name="pending_change_status_known",
            ),
        ),
    ]
