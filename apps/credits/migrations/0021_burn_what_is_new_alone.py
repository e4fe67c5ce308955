"""Burning reads the entries that are new, and no others, however many there are."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FOLDER = Path(__file__).resolve().parent / "sql"
_FORMER = (_FOLDER / "0009" / "ledger.sql").read_text(encoding="utf-8").partition("\n\n")[0]


class Migration(migrations.Migration):
    dependencies = [("credits", "0020_functions_that_keep_keys_with_entries")]
    operations = [
        migrations.RunSQL((_FOLDER / "0021" / "burn.sql").read_text(encoding="utf-8"), reverse_sql=_FORMER),
    ]
