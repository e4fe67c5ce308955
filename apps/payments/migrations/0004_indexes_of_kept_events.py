import apps.payments.enums
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # While the inbox takes events in.
    atomic = False

    dependencies = [
        ("payments", "0003_kept_events_and_plan_references"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="providerinvoice",
            index=models.Index(
                condition=models.Q(("status", apps.payments.enums.InvoiceStatus["OPEN"])),
                fields=["due_at"],
                name="providerinvoice_open_due",
            ),
        ),
        AddIndexConcurrently(
            model_name="providersubscription",
            index=models.Index(fields=["workspace_id"], name="providersubscription_workspace"),
        ),
        AddIndexConcurrently(
            model_name="providerdispute",
            index=models.Index(fields=["-news_at"], name="providerdispute_latest"),
        ),
        AddIndexConcurrently(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(("status", "unmatched"), models.Q(("charge_external_id", ""), _negated=True)),
                fields=["provider", "charge_external_id"],
                name="webhook_event_of_charge",
            ),
        ),
        AddIndexConcurrently(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(("status__in", ["failed", "unmatched"])),
                fields=["reason", "field", "type"],
                name="webhook_event_kept",
            ),
        ),
        AddIndexConcurrently(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(("reason", ""), _negated=True),
                fields=["reason", "-received_at"],
                name="webhook_event_of_reason",
            ),
        ),
    ]
