from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [("subscriptions", "0010_created_by_the_clock")]

    operations = [
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                KeyTransform(key, "question"), models.OrderBy(models.F("created_at"), descending=True), name=name
            ),
        )
        for key, name in (
            ("product_id", "decision_receipt_product"),
            ("operation", "decision_receipt_operation"),
        )
    ]
