"""What an entry keeps of the request that it was booked for (spec 05, No double charge)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("credits", "0018_functions_that_know_named_workspaces")]
    operations = [
        migrations.AddField(
            model_name="creditentry",
            name="answer_rest",
            field=models.JSONField(
                blank=True,
                help_text="What it was answered that no other column tells: what was held, warnings.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="creditentry",
            name="body_hash",
            field=models.UUIDField(blank=True, help_text="The last 128 bits of the hash of its request.", null=True),
        ),
    ]
