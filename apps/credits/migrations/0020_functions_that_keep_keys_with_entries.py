"""The fourth version of the functions that consume: see `sql/0020/keys.sql` and `consume.sql`.

There is no way back: the functions before would charge again whatever the keys of these entries stand for.
"""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FOLDER = Path(__file__).resolve().parent / "sql" / "0020"
_FILES = ("keys", "ledger", "consume_set", "consume")


class Migration(migrations.Migration):
    dependencies = [("credits", "0019_entries_that_keep_their_key"), ("core", "0009_dismissed_calls")]
    operations = [migrations.RunSQL([(_FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in _FILES])]
