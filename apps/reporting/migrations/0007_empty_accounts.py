from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0006_runways_of_accounts")]

    operations = [
        migrations.AddField(
            model_name="accountrunway",
            name="is_empty",
            field=models.BooleanField(blank=True, null=True),
        ),
    ]
