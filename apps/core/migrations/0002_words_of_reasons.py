import apps.core.constraints
import apps.core.enums
import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("core", "0001_schema"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["request_id"], name="audit_entry_request"),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=django.contrib.postgres.indexes.GinIndex(
                apps.core.constraints.Words("reason"),
                condition=models.Q(
                    ("actor_kind", apps.core.enums.ActorKind["USER"]), models.Q(("reason", ""), _negated=True)
                ),
                fastupdate=False,
                name="audit_entry_reason_words",
            ),
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("actor_kind", apps.core.enums.ActorKind["USER"])),
                fields=["-recorded_at"],
                name="audit_entry_of_people",
            ),
        ),
    ]
