import apps.connectors.enums
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("connectors", "0008_organization_closed"),
        ("tenants", "0008_cutover_runs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="connector",
            index=models.Index(
                condition=models.Q(
                    ("removed_at__isnull", True),
                    (
                        "status__in",
                        [
                            apps.connectors.enums.ConnectorStatus["AUTO_DISABLED"],
                            apps.connectors.enums.ConnectorStatus["NEEDS_REAUTHORIZATION"],
                        ],
                    ),
                    models.Q(
                        (
                            "auto_disable_causes__contains",
                            [apps.connectors.enums.AutoDisableReason["ORGANIZATION_CLOSED"]],
                        ),
                        _negated=True,
                    ),
                ),
                fields=["-created_at", "id"],
                name="connector_for_a_person",
            ),
        ),
        RemoveIndexConcurrently(model_name="connector", name="connector_needs_a_person"),
    ]
