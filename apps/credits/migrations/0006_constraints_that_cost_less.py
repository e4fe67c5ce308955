"""The constraints of entries say the same in fewer words.

PostgreSQL reads a table's constraints anew for each statement that writes to it: they were a fifth of a consumption. Of
a `varchar` it reads a cast with each value, so kind and category become `text`, and their constraints are made again.
The types change without a rewrite, and the next migration looks at the rows that are there, so that this one is short.
"""

from __future__ import annotations

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.lookups import Exact, GreaterThan, In, IsNull

_KINDS = ("grant", "consumption", "capture", "reversal", "expiry", "adjustment")
_CATEGORIES = ("regular", "free", "internal")
_CONDITIONS = {
    "kind_known": Q(kind__in=[*_KINDS]),
    "category_known": Q(category__in=[*_CATEGORIES, ""]),
    "sign_of_kind": Q(Exact(GreaterThan(F("amount"), 0), In(F("kind"), ["grant", "reversal"])))
    & (~Q(kind="expiry") | Q(amount__lt=0)),
    "charges_regular_alone": Q(amount=0)
    | ~Q(kind__in=["consumption", "capture"])
    | Q(category="regular", is_billable=True),
    "reverses_iff_reversal": Exact(Exact(F("kind"), "reversal"), IsNull(F("reversal_of"), False)),
}


class Migration(migrations.Migration):
    dependencies = [("credits", "0005_charges_burn_grants_later")]
    operations = [
        *(migrations.RemoveConstraint(model_name="creditentry", name=f"credit_entry_{name}") for name in _CONDITIONS),
        migrations.AlterField(
            "creditentry", "kind", models.TextField(choices=[(value, value.capitalize()) for value in _KINDS])
        ),
        migrations.AlterField(
            "creditentry",
            "category",
            models.TextField(blank=True, choices=[(value, value.capitalize()) for value in _CATEGORIES], default=""),
        ),
        *(
            AddConstraintNotValid(
                model_name="creditentry",
                constraint=models.CheckConstraint(condition=condition, name=f"credit_entry_{name}"),
            )
            for name, condition in _CONDITIONS.items()
        ),
    ]
