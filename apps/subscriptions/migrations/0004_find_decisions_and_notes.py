import apps.core.constraints
import django.contrib.postgres.indexes
import django.db.models.fields.json
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("subscriptions", "0003_handing_back"),
        ("tenants", "0006_words_of_names"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(fields=["request_id"], name="decision_receipt_request"),
        ),
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                django.db.models.fields.json.KeyTextTransform("user_id", "question"),
                models.OrderBy(models.F("created_at"), descending=True),
                name="decision_receipt_person",
            ),
        ),
        AddIndexConcurrently(
            model_name="workspacenote",
            index=django.contrib.postgres.indexes.GinIndex(
                apps.core.constraints.Words("text"), fastupdate=False, name="workspace_note_words"
            ),
        ),
    ]
