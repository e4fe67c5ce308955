"""When the last failed sync of each connector was asked for. From here on a trigger keeps it."""

from django.db import migrations

FILL = """
UPDATE connectors_connector c SET last_failure_at = failed.last
FROM (SELECT connector_id, MAX(created_at) AS last FROM connectors_syncrun WHERE status = 'failed' GROUP BY 1) failed
WHERE c.id = failed.connector_id AND (c.last_failure_at IS NULL OR c.last_failure_at < failed.last)
"""


class Migration(migrations.Migration):
    dependencies = [("connectors", "0013_last_failures")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
