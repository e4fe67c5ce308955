"""Indexes of entries, built beside running writes, and the checks of 0008, validated the same way.

A charge may have several reversals: the constraint that allowed one goes once the partial index stands. Its foreign key
is left alone, as making it anew would look through all entries under a lock.
"""

import apps.credits.models.ledger
import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

_ONE = "credits_creditentry_reversal_of_id_key"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("credits", "0009_functions")]
    operations = [
        AddIndexConcurrently(
            model_name="creditentry",
            index=models.Index(
                condition=models.Q(("reversal_of__isnull", False)), fields=["reversal_of"], name="credit_entry_reversal"
            ),
        ),
        AddIndexConcurrently(
            model_name="creditentry",
            index=models.Index(
                apps.credits.models.ledger.HashOf("run_id", models.Value(0)),
                condition=models.Q(("run_id", ""), _negated=True),
                name="credit_entry_of_run",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"ALTER TABLE credits_creditentry DROP CONSTRAINT IF EXISTS {_ONE}",
                    f"ALTER TABLE credits_creditentry ADD CONSTRAINT {_ONE} UNIQUE (reversal_of_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="creditentry",
                    name="reversal_of",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="credits.creditentry",
                    ),
                ),
            ],
        ),
        ValidateConstraint("creditentry", "credit_entry_sign_of_kind"),
        ValidateConstraint("creditentry", "credit_entry_local_charges_nothing"),
    ]
