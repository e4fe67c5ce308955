"""A run of an account is found without reading all that the account has, or every account that has such a run.

With the hash of the run alone PostgreSQL could join it with the index of the account's places: before the table was
analyzed, each charge read all of these.
"""

from pathlib import Path

import apps.credits.models.ledger
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

_FOLDER = Path(__file__).resolve().parent / "sql"
_SQL = (_FOLDER / "0025" / "charged_before.sql").read_text(encoding="utf-8")
_FORMER = (_FOLDER / "0009" / "ledger.sql").read_text(encoding="utf-8")
_FORMER = _FORMER[_FORMER.index("CREATE OR REPLACE FUNCTION credits_charged_before") :].partition("\n\n")[0]


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False
    dependencies = [("credits", "0024_disagreements_by_operation")]
    operations = [
        AddIndexConcurrently(
            model_name="creditentry",
            index=models.Index(
                apps.credits.models.ledger.HashOf("run_id", models.Value(0)),
                apps.credits.models.ledger.HashOfId("account", models.Value(0)),
                condition=models.Q(("run_id", ""), _negated=True),
                name="credit_entry_run_account",
            ),
        ),
        migrations.RunSQL(_SQL, _FORMER),
        RemoveIndexConcurrently(model_name="creditentry", name="credit_entry_of_run"),
    ]
