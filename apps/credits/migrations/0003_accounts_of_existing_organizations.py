"""Organizations that were there before this app get the account that every new one is made with."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from apps.core import clock

AT_ONCE = 1_000


def make_missing(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    organizations = apps.get_model("tenants", "Organization")
    accounts = apps.get_model("credits", "CreditAccount")
    missing = organizations.objects.filter(credit_account__isnull=True).values_list("pk", flat=True)
    now = clock.now()
    accounts.objects.bulk_create(
        (accounts(organization_id=organization_id, created_at=now) for organization_id in missing.iterator(AT_ONCE)),
        batch_size=AT_ONCE,
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("credits", "0002_ledger_functions")]
    operations = [migrations.RunPython(make_missing, migrations.RunPython.noop, elidable=True)]
