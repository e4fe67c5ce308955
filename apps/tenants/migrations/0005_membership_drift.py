"""What products report of owners and we do not take over is kept as drift."""

from __future__ import annotations

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_user_emails_are_held_in_one_form"),
    ]

    operations = [
        migrations.CreateModel(
            name="MembershipDrift",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("drift_class", models.CharField(choices=[("owner_reported", "Owner reported")], max_length=32)),
                (
                    "reported",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("admin", "Admin"),
                            ("member", "Member"),
                            ("viewer", "Viewer"),
                            ("removed", "Removed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reported_at", models.DateTimeField(help_text="Since when it is so, as the product has it.")),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_drift",
                        to="tenants.organization",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_drift",
                        to="tenants.product",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "membership drift",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "user", "product", "drift_class"), name="membership_drift_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("drift_class__in", ["owner_reported"])), name="membership_drift_class_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reported__in", ["owner", "admin", "member", "viewer", "removed"])),
                        name="membership_drift_reported_known",
                    ),
                ],
            },
        ),
    ]
