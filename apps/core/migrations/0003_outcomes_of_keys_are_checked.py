"""Looks at the rows that the constraints of the migration before found; writers go on meanwhile."""

from __future__ import annotations

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("core", "0002_outcomes_of_keys_without_a_hole")]
    operations = [
        ValidateConstraint("idempotencyrecord", f"idempotency_record_{name}")
        for name in ("outcome_known", "status_iff_answered", "status_of_success")
    ]
