import apps.backoffice.enums
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0008_cutover_runs"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskDecision",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("review", "Needs review"),
                            ("charged_twice", "Charged twice"),
                            ("due_change", "Scheduled change is due"),
                            ("grace_ends", "Grace period ends"),
                            ("locked", "Payments locked"),
                            ("connector", "Connector fails"),
                            ("out_of_credits", "Out of credits"),
                            ("denials", "Many denials"),
                        ],
                        max_length=24,
                    ),
                ),
                ("subject_id", models.UUIDField()),
                ("marker", models.CharField(max_length=80)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("taken", "Taken"), ("snoozed", "Snoozed"), ("dismissed", "Dismissed")], max_length=16
                    ),
                ),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("reason", models.TextField()),
                ("decided_by", models.CharField(max_length=254)),
                ("decided_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "review",
                                    "charged_twice",
                                    "due_change",
                                    "grace_ends",
                                    "locked",
                                    "connector",
                                    "out_of_credits",
                                    "denials",
                                ],
                            )
                        ),
                        name="task_decision_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["taken", "snoozed", "dismissed"])),
                        name="task_decision_outcome_known",
                    ),
                    models.UniqueConstraint(fields=("organization", "kind", "subject_id"), name="task_decision_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", apps.backoffice.enums.TaskState["SNOOZED"]), ("until__isnull", False)),
                            models.Q(
                                models.Q(("outcome", apps.backoffice.enums.TaskState["SNOOZED"]), _negated=True),
                                ("until__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="task_decision_until_iff_snoozed",
                    ),
                ],
            },
        ),
    ]
