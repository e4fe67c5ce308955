"""A person's own account is for the product that created the user, and for those that share an organization with them."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FACTS = Path(__file__).resolve().parent / "sql" / "facts.sql"


class Migration(migrations.Migration):
    dependencies = [("credits", "0007_entries_are_checked")]
    operations = [
        # The functions are replaced in place; the version before answers its calls with them too.
        migrations.RunSQL(_FACTS.read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
