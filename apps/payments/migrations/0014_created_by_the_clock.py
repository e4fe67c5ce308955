"""Rows are created by the clock of the product, which the test clock and sample data move."""

import apps.core.clock
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_free_checkouts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="planreference",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providercustomer",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providerdispute",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providerinvoice",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providerpaymentmethod",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providerrefund",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="providersubscription",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
    ]
