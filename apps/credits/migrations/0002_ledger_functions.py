"""The database functions of the hot path: facts, posting, consumption (spec 11, Speed)."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).resolve().parent / "sql"
_FILES = ("facts", "ledger", "item", "consume_set", "consume")
REVERSE = """
DROP FUNCTION IF EXISTS credits_consume_batch, credits_consume_set, credits_consume, credits_gate_letter, credits_post, credits_burn,
    credits_facts, credits_account_of;
DROP TYPE IF EXISTS credits_item
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_the_ledger"), ("subscriptions", "0002_payment_configs_of_existing_organizations")]
    operations = [
        migrations.RunSQL(
            [(FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in _FILES],
            REVERSE,
        )
    ]
