"""Organizations that were there before this app get the payment config that every new one is made with."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

AT_ONCE = 1_000


def make_missing(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    organizations = apps.get_model("tenants", "Organization")
    configs = apps.get_model("subscriptions", "OrganizationPaymentConfig")
    missing = organizations.objects.filter(payment_config__isnull=True).values_list("pk", flat=True)
    configs.objects.bulk_create(
        (configs(organization_id=organization_id) for organization_id in missing.iterator(AT_ONCE)),
        batch_size=AT_ONCE,
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_commercial_truth")]
    operations = [migrations.RunPython(make_missing, migrations.RunPython.noop, elidable=True)]
