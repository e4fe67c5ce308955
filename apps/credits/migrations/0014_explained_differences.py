"""Marks of explained differences, and the classes of rounding and lifecycle, which `credits_note_drift` tells apart."""

import uuid
from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

_SQL = Path(__file__).resolve().parent / "sql"
_FUNCTION = (_SQL / "0014" / "drift.sql").read_text(encoding="utf-8")
_BEFORE = (_SQL / "0009" / "ledger.sql").read_text(encoding="utf-8")
_CLASSES = [
    ("unknown_operation", "Unknown operation"),
    ("membership", "Membership"),
    ("lifecycle", "Lifecycle"),
    ("verdict", "Allow or deny"),
    ("amount", "Amount"),
    ("rounding", "Rounding"),
    ("balance", "Balance"),
    ("run_charged_before", "Run charged twice"),
    ("booked_though_not_a_member", "Booked, not a member"),
    ("booked_though_lifecycle_denied", "Booked, lifecycle denied"),
    ("booked_for_review", "Booked late"),
]
_IS_KNOWN = models.Q(("difference__in", [value for value, _ in _CLASSES]))


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0013_indexes_that_serve_lists"),
        ("tenants", "0005_billing_mode_function"),
    ]

    operations = [
        migrations.CreateModel(
            name="DifferenceMark",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("difference", models.CharField(choices=_CLASSES, max_length=40)),
                ("operation", models.CharField(blank=True, default="", max_length=80)),
                ("disagreement_id", models.UUIDField(blank=True, null=True)),
                ("covers_until", models.DateTimeField(blank=True, null=True)),
                ("reason", models.TextField()),
                ("marked_by", models.CharField(max_length=254)),
                ("marked_at", models.DateTimeField()),
                ("undone_by", models.CharField(blank=True, default="", max_length=254)),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "product",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="difference_marks",
                        to="tenants.product",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("undone_at__isnull", True)),
                        fields=["product", "difference"],
                        name="difference_mark_in_force",
                    ),
                    models.Index(fields=["-marked_at", "id"], name="difference_mark_newest"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=_IS_KNOWN, name="difference_mark_class_known"),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="difference_mark_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undone_at__isnull", True), ("undone_by", "")),
                            models.Q(("undone_at__isnull", False), models.Q(("undone_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="difference_mark_undone_by_somebody",
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="shadowdisagreement", name="shadow_disagreement_class_known"),
        migrations.AlterField(
            model_name="shadowdisagreement",
            name="difference",
            field=models.CharField(choices=_CLASSES, max_length=40),
        ),
        migrations.AddConstraint(
            model_name="shadowdisagreement",
            constraint=models.CheckConstraint(condition=_IS_KNOWN, name="shadow_disagreement_class_known"),
        ),
        migrations.RunSQL([_FUNCTION], [_BEFORE]),
    ]
