from django.contrib.postgres.operations import AddIndexConcurrently
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built and dropped while everybody works. An index that begins another one, or is one twice, goes.
    atomic = False

    dependencies = [
        ("tenants", "0006_words_of_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="billingmodechange",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_mode_changes",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_billingmodechange_product_id_22e50842",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_billingmodechange_product_id_22e50842 ON tenants_billingmodechange (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="billingmodeexception",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_mode_exceptions",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_billingmodeexception_product_id_a8238961",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_billingmodeexception_product_id_a8238961 ON tenants_billingmodeexception (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="cutovercheck",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cutover_checks",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_cutovercheck_product_id_269f79d0",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_cutovercheck_product_id_269f79d0 ON tenants_cutovercheck (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="membership",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_membership_organization_id_0a0b39ca",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_membership_organization_id_0a0b39ca ON tenants_membership (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="membership",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_membership_user_id_2c860192",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_membership_user_id_2c860192 ON tenants_membership (user_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="membershipdrift",
                    name="organization",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_drift",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_membershipdrift_organization_id_900a5ac8",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_membershipdrift_organization_id_900a5ac8 ON tenants_membershipdrift (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="membershipdrift",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_drift",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_membershipdrift_product_id_90fa5b23",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_membershipdrift_product_id_90fa5b23 ON tenants_membershipdrift (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="membershipremoval",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_membershipremoval_organization_id_5366abc7",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_membershipremoval_organization_id_5366abc7 ON tenants_membershipremoval (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="productrelation",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="product_relations",
                        to="tenants.organization",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_productrelation_organization_id_b42fa982",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_productrelation_organization_id_b42fa982 ON tenants_productrelation (organization_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="reconciliationrun",
                    name="product",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_runs",
                        to="tenants.product",
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_reconciliationrun_product_id_af991c84",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_reconciliationrun_product_id_af991c84 ON tenants_reconciliationrun (product_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="recoverycode",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recovery_codes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_recoverycode_user_id_8eaaca13",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_recoverycode_user_id_8eaaca13 ON tenants_recoverycode (user_id)",
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="signinlink",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sign_in_links",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS tenants_signinlink_user_id_61a5b70a",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_signinlink_user_id_61a5b70a ON tenants_signinlink (user_id)",
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="organization",
            index=models.Index(condition=models.Q(("is_demo", True)), fields=["name"], name="organization_demo"),
        ),
    ]
