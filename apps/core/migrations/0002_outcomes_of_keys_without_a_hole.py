"""An answered key has the status of a success and a refused one has none; an answer without a status passed until now.

A CHECK that is NULL passes, and `status >= 200` is NULL where there is no status. The outcome becomes `text`: PostgreSQL
reads a table's constraints anew for each statement that writes to it, and of a `varchar` it reads a cast with each value.
The type changes without a rewrite, and the next migration looks at the rows that are there, so that this one is short.
"""

from __future__ import annotations

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models.lookups import Exact, IsNull

_OUTCOMES = [("answered", "Answered"), ("refused", "Refused")]


class Migration(migrations.Migration):
    dependencies = [("core", "0001_audit_idempotency_outbox_jobs")]
    operations = [
        *(
            migrations.RemoveConstraint(model_name="idempotencyrecord", name=f"idempotency_record_{name}")
            for name in ("outcome_known", "status_iff_answered")
        ),
        migrations.AlterField("idempotencyrecord", "outcome", models.TextField(choices=_OUTCOMES)),
        *(
            AddConstraintNotValid(
                model_name="idempotencyrecord",
                constraint=models.CheckConstraint(condition=condition, name=f"idempotency_record_{name}"),
            )
            for name, condition in (
                ("outcome_known", models.Q(outcome__in=[value for value, _ in _OUTCOMES])),
                (
                    "status_iff_answered",
                    Exact(Exact(models.F("outcome"), "answered"), IsNull(models.F("status"), False)),
                ),
                ("status_of_success", models.Q(status__range=(200, 299))),
            )
        ),
    ]
