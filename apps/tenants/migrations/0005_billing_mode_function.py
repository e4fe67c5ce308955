"""`tenants_billing_mode`: who decides on credits, for statements that ask in the database."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent / "sql" / "0005" / "billing_mode.sql"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_billing_modes")]
    operations = [
        migrations.RunSQL(
            [_SQL.read_text(encoding="utf-8")], "DROP FUNCTION IF EXISTS tenants_billing_mode(uuid, uuid)"
        )
    ]
