"""Validates the checks of 0003, and indexes burns by grant and holds by account, beside whatever is written."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("credits", "0003_voided_grants")]
    operations = [
        ValidateConstraint(model_name="creditentry", name="credit_entry_kind_known"),
        ValidateConstraint(model_name="creditentry", name="credit_entry_sign_of_kind"),
        AddIndexConcurrently(
            model_name="grantburn", index=models.Index(fields=["grant", "id"], name="grant_burn_of_grant")
        ),
        AddIndexConcurrently(
            model_name="hold", index=models.Index(fields=["account", "created_at"], name="hold_of_account")
        ),
    ]
