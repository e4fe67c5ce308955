"""The database functions of the hot path: facts, posting, consumption (spec 11, Speed).

Each folder below `sql` has the name of the migration that runs its files. Once released, neither is edited: a change is
a new migration with a folder of its own, which holds the functions that differ.
"""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FOLDER = Path(__file__).resolve().parent / "sql" / "0002"
_FILES = ("facts", "ledger", "item", "consume_set", "consume")
_REVERSE = """
DROP FUNCTION IF EXISTS credits_consume_batch, credits_consume_set, credits_consume, credits_gate_letter, credits_post,
    credits_facts, credits_account_of;
DROP TYPE IF EXISTS credits_item
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_schema"), ("subscriptions", "0001_schema")]
    operations = [
        migrations.RunSQL([(_FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in _FILES], _REVERSE)
    ]
