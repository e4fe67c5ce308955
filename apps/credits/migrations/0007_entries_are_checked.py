"""Looks at the entries that the migration before found, and keeps only entries of grants in the index of grants.

Writers go on meanwhile. Most entries are charges and have no grant; each of them had its place in that index.
"""

from __future__ import annotations

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("credits", "0006_constraints_that_cost_less")]
    operations = [
        *(
            ValidateConstraint("creditentry", f"credit_entry_{name}")
            for name in (
                *("kind_known", "category_known", "sign_of_kind"),
                *("charges_regular_alone", "reverses_iff_reversal"),
            )
        ),
        AddIndexConcurrently(
            "creditentry",
            models.Index(condition=models.Q(grant__isnull=False), fields=["grant"], name="credit_entry_of_grant"),
        ),
        migrations.AlterField(
            "creditentry",
            "grant",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.creditgrant",
            ),
        ),
    ]
