from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("core", "0005_mails_of_customers"),
    ]

    operations = [
        migrations.AlterField(
            model_name="outboxitem",
            name="organization_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["event", "-recorded_at"], name="audit_entry_of_event"),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["actor_label", "-recorded_at"], name="audit_entry_of_actor"),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["target_id", "-recorded_at"], name="audit_entry_of_record"),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["organization_id", "-recorded_at"], name="audit_entry_of_tenant"),
        ),
        AddIndexConcurrently(
            model_name="jobrun",
            index=models.Index(fields=["trigger", "-created_at"], name="job_run_of_trigger"),
        ),
        AddIndexConcurrently(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("organization_id__isnull", False)),
                fields=["organization_id", "-created_at"],
                name="job_run_of_tenant",
            ),
        ),
        AddIndexConcurrently(
            model_name="outboxitem",
            index=models.Index(fields=["kind", "-created_at"], name="outbox_item_of_kind"),
        ),
        AddIndexConcurrently(
            model_name="outboxitem",
            index=models.Index(fields=["organization_id", "-created_at"], name="outbox_item_by_tenant"),
        ),
    ]
