import apps.core.constraints
import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    # Beside running writes.
    atomic = False

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("tenants", "0005_billing_mode_function"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="organization",
            index=django.contrib.postgres.indexes.GinIndex(
                apps.core.constraints.Words("name", "slug"), fastupdate=False, name="organization_words"
            ),
        ),
        AddIndexConcurrently(
            model_name="user",
            index=django.contrib.postgres.indexes.GinIndex(
                apps.core.constraints.Words("name", "email"), fastupdate=False, name="user_words"
            ),
        ),
        AddIndexConcurrently(
            model_name="workspace",
            index=django.contrib.postgres.indexes.GinIndex(
                apps.core.constraints.Words("name", "slug"), fastupdate=False, name="workspace_words"
            ),
        ),
    ]
