"""The third version of the functions that read and consume (spec 03, rule 5): see `sql/0018/facts.sql`."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_FOLDER = Path(__file__).resolve().parent / "sql" / "0018"
_FILES = ("facts", "gate", "consume_set", "consume")
_REVERSE = """
DROP FUNCTION IF EXISTS credits_consume_batch_3, credits_consume_set_3, credits_consume_3, credits_gate_letter_2,
    credits_facts_3
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0017_erased_entries"), ("subscriptions", "0008_subscription_scope")]
    operations = [
        migrations.RunSQL([(_FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in _FILES], _REVERSE)
    ]
