from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes; the one goes when the other is there.
    atomic = False

    dependencies = [("subscriptions", "0011_find_decisions_by_question")]

    operations = [
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                fields=["kind", "-created_at"],
                include=["organization_id"],
                name="decision_receipt_of_gate",
            ),
        ),
        RemoveIndexConcurrently(model_name="decisionreceipt", name="decision_receipt_of_kind"),
    ]
