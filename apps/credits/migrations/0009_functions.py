"""The second version of the functions of the hot path (spec 05: months by zone, local charges, warnings; 11, batches).

Functions of 0002 that changed in what they take or answer have a successor here with a 2 in its name: the release
before calls its own while both run.
"""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FOLDER = Path(__file__).resolve().parent / "sql" / "0009"
_FILES = ("facts", "ledger", "item", "consume_set", "consume")
_REVERSE = """
DROP FUNCTION IF EXISTS credits_consume_batch_2, credits_consume_set_2, credits_consume_2, credits_key_outcome,
    credits_note_drift, credits_charged_before, credits_use_free, credits_facts_2, credits_free_month;
DROP AGGREGATE IF EXISTS credits_spend(bigint, bigint);
DROP FUNCTION IF EXISTS credits_spend_step;
DROP TYPE IF EXISTS credits_item_2
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0008_outcomes_free_months_partial_reversals")]
    operations = [
        migrations.RunSQL([(_FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in _FILES], _REVERSE)
    ]
