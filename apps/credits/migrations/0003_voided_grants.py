"""Grants can be voided. The two checks of entries are replaced without a look at the rows; 0004 validates them."""

from __future__ import annotations

import django.db.models.lookups
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

_KINDS = [
    ("grant", "Grant"),
    ("consumption", "Consumption"),
    ("capture", "Capture"),
    ("reversal", "Reversal"),
    ("expiry", "Expiry"),
    ("void", "Void"),
    ("adjustment", "Adjustment"),
]


class Migration(migrations.Migration):
    dependencies = [("credits", "0002_functions"), ("tenants", "0002_platform_roles")]
    operations = [
        migrations.AddField(
            model_name="creditgrant",
            name="voided_at",
            field=models.DateTimeField(
                blank=True, help_text="Ended by hand: what is left goes, and it never begins.", null=True
            ),
        ),
        migrations.AlterField(model_name="creditentry", name="kind", field=models.TextField(choices=_KINDS)),
        migrations.RemoveConstraint(model_name="creditentry", name="credit_entry_kind_known"),
        migrations.RemoveConstraint(model_name="creditentry", name="credit_entry_sign_of_kind"),
        AddConstraintNotValid(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", [kind for kind, _ in _KINDS])), name="credit_entry_kind_known"
            ),
        ),
        AddConstraintNotValid(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    django.db.models.lookups.Exact(
                        django.db.models.lookups.GreaterThan(models.F("amount"), 0),
                        django.db.models.lookups.In(models.F("kind"), ["grant", "reversal"]),
                    ),
                    models.Q(
                        models.Q(("kind__in", ["expiry", "void"]), _negated=True), ("amount__lt", 0), _connector="OR"
                    ),
                ),
                name="credit_entry_sign_of_kind",
            ),
        ),
    ]
