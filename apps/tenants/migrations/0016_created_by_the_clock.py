"""Rows are created by the clock of the product, which the test clock and sample data move."""

import apps.core.clock
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0015_who_gets_mails"),
    ]

    operations = [
        migrations.AlterField(
            model_name="membership",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="organization",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="product",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="productrelation",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="recoverycode",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.real_now, editable=False),
        ),
        migrations.AlterField(
            model_name="servicetoken",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="user",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
        migrations.AlterField(
            model_name="workspace",
            name="created_at",
            field=models.DateTimeField(default=apps.core.clock.now, editable=False),
        ),
    ]
