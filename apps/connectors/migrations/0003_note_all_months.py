"""Months that were synced before are to be added up too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connectors", "0002_changed_months")]

    operations = [
        migrations.RunSQL(
            """INSERT INTO connectors_changedmonth (connector_id, month)
            SELECT connector_id, month FROM connectors_monthstate
            UNION SELECT connector_id, month FROM connectors_syncrun""",
            migrations.RunSQL.noop,
        )
    ]
