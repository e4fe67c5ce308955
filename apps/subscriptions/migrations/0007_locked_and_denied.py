import apps.subscriptions.enums
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("subscriptions", "0006_indexes_that_serve_lists"),
        ("tenants", "0007_indexes_that_serve_lists"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="decisionreceipt",
            index=models.Index(
                condition=models.Q(("decision", apps.subscriptions.enums.Verdict["DENY"])),
                fields=["-created_at"],
                name="denial_latest",
            ),
        ),
        AddIndexConcurrently(
            model_name="organizationpaymentconfig",
            index=models.Index(
                condition=models.Q(("payment_status", apps.subscriptions.enums.PaymentStatus["LOCKED"])),
                fields=["id"],
                name="payment_config_locked",
            ),
        ),
    ]
