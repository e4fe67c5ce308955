"""A longer varchar, which PostgreSQL notes in its catalogue without looking at a row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("credits", "0010_indexes")]
    operations = [
        migrations.RemoveConstraint(
            model_name="shadowdisagreement",
            name="shadow_disagreement_class_known",
        ),
        migrations.AlterField(
            model_name="shadowdisagreement",
            name="difference",
            field=models.CharField(
                choices=[
                    ("unknown_operation", "Unknown operation"),
                    ("membership", "Membership"),
                    ("verdict", "Allow or deny"),
                    ("amount", "Amount"),
                    ("balance", "Balance"),
                    ("run_charged_before", "Run charged twice"),
                    ("booked_though_not_a_member", "Booked, not a member"),
                    ("booked_though_lifecycle_denied", "Booked, lifecycle denied"),
                    ("booked_for_review", "Booked late"),
                ],
                max_length=40,
            ),
        ),
        migrations.AddConstraint(
            model_name="shadowdisagreement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "difference__in",
                        [
                            "unknown_operation",
                            "membership",
                            "verdict",
                            "amount",
                            "balance",
                            "run_charged_before",
                            "booked_though_not_a_member",
                            "booked_though_lifecycle_denied",
                            "booked_for_review",
                        ],
                    )
                ),
                name="shadow_disagreement_class_known",
            ),
        ),
    ]
