import apps.subscriptions.enums
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("subscriptions", "0004_find_decisions_and_notes"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                condition=models.Q(("decision", apps.subscriptions.enums.Verdict["DENY"])),
                fields=["organization_id", "-created_at"],
                name="denial_of_tenant",
            ),
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                condition=models.Q(("decision", apps.subscriptions.enums.Verdict["DENY"])),
                fields=["workspace_id", "-created_at"],
                name="denial_of_workspace",
            ),
        ),
    ]
