from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # While jobs run.
    atomic = False

    dependencies = [
        ("core", "0003_retention"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="jobrun",
            index=models.Index(fields=["name", "-created_at"], name="job_run_of_name"),
        ),
        AddIndexConcurrently(
            model_name="jobrun",
            index=models.Index(fields=["status", "-created_at"], name="job_run_by_status"),
        ),
    ]
