"""Charges burn grants when somebody next looks at them, no longer within the consumption (spec 05, Which grant paid)."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations, models

_FOLDER = Path(__file__).resolve().parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("credits", "0004_grants_know_who_gave_them")]
    operations = [
        migrations.AddField(
            model_name="creditaccount",
            name="burned_sequence",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        # Until now each charge burned at once.
        migrations.RunSQL("UPDATE credits_creditaccount SET burned_sequence = last_sequence", migrations.RunSQL.noop),
        # No way back: functions that burn at once would not burn what waits by then.
        migrations.RunSQL(
            [
                "DROP FUNCTION IF EXISTS credits_burn(uuid, uuid, bigint, bigint)",
                *(
                    (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
                    for name in ("ledger", "consume_set", "consume")
                ),
            ],
        ),
    ]
