"""Organizations, workspaces, users, memberships, products, tokens, sign-in, and their triggers."""

import apps.tenants.models.organizations
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuessCount",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("tries", models.PositiveIntegerField()),
                ("ends_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "billing_mode",
                    models.CharField(
                        choices=[
                            ("local", "Local: the product decides, we record"),
                            ("shadow", "Shadow: the product decides, we compare"),
                            ("central", "Central: we decide"),
                        ],
                        default="local",
                        max_length=16,
                    ),
                ),
                ("membership_export_url", models.URLField(blank=True, default="")),
                ("return_hosts", models.TextField(blank=True, db_default="", default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="ProductRelation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("created", "The product created it"),
                            ("identity", "The identity service related it"),
                            ("staff", "Staff related it"),
                        ],
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("selector", models.CharField(max_length=8)),
                ("secret_hash", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ServiceToken",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(choices=[("product", "Product token"), ("cron", "Cron token")], max_length=16),
                ),
                ("name", models.CharField(max_length=100)),
                ("prefix", models.CharField(max_length=16, unique=True)),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("tenants:write", "Provision users, organizations and workspaces"),
                                ("members:read", "Read memberships"),
                                ("members:write", "Report and remove memberships"),
                                ("subscriptions:read", "Read lifecycle and payment config"),
                                ("payments:write", "End grace periods"),
                                ("credits:read", "Read policies, balances and entries"),
                                ("credits:write", "Authorize, consume, grant, reverse"),
                                ("connectors:read", "Read connectors and sync runs"),
                                ("connectors:write", "Create and change connectors, start syncs"),
                                ("usage:read", "Query usage"),
                                ("portal:create", "Send members to their billing pages"),
                                ("tenants:manage", "Identity service: relate products to organizations"),
                                ("jobs:run", "Start jobs (cron tokens)"),
                            ],
                            max_length=40,
                        ),
                        size=None,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invitation", "Invitation"),
                            ("password_reset", "New password"),
                            ("sign_in", "Sign-in link"),
                            ("portal", "Visit from a product"),
                        ],
                        max_length=16,
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                ("return_url", models.CharField(blank=True, default="", max_length=2000)),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                ("sealed_token", models.BinaryField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("replaced_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Workspace",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "manual_lifecycle_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("pre_subscription", "Pre-subscription"),
                            ("trial", "Trial"),
                            ("active", "Active"),
                            ("grace", "Grace"),
                            ("suspended_read_only", "Suspended, read-only"),
                            ("closed", "Closed"),
                        ],
                        default="",
                        max_length=32,
                    ),
                ),
                ("manual_lifecycle_reason", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                ("external_id", models.CharField(blank=True, default="", max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("is_staff", models.BooleanField(default=False, help_text="May sign in to the staff plane.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("kind", models.CharField(choices=[("team", "Team"), ("individual", "Individual")], max_length=16)),
                ("is_demo", models.BooleanField(default=False)),
                (
                    "is_synthetic",
                    models.BooleanField(default=False, help_text="Made by a cutover check, which removes it again."),
                ),
                (
                    "time_zone",
                    models.CharField(
                        default="UTC", max_length=64, validators=[apps.tenants.models.organizations.validate_time_zone]
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Upper("name"), name="varchar_pattern_ops"
                        ),
                        name="organization_name_prefix",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["team", "individual"])), name="organization_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="organization_has_name"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MembershipRemoval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("removed_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
        ),
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
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_drift",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "membership drift",
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("admin", "Admin"), ("member", "Member"), ("viewer", "Viewer")],
                        max_length=16,
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("identity", "Identity service"), ("product", "Product"), ("console", "Console")],
                        max_length=16,
                    ),
                ),
                ("role_changed_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="organization_nature_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."is_demo" IS DISTINCT FROM (NEW."is_demo") OR OLD."kind" IS DISTINCT FROM (NEW."kind"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="d59d8b08159761094ba5b195c4005551bf066fe7",
                    operation="UPDATE",
                    pgid="pgtrigger_organization_nature_is_fixed_3c85c",
                    table="tenants_organization",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("billing_mode__in", ["local", "shadow", "central"])),
                name="product_billing_mode_known",
            ),
        ),
        migrations.AddField(
            model_name="membershipdrift",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="membership_drift", to="tenants.product"
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="origin_product",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.product",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="created_by_product",
            field=models.ForeignKey(
                blank=True,
                help_text="The product that may change this user's e-mail and name, beside the identity service.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.product",
            ),
        ),
        migrations.AddField(
            model_name="productrelation",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="product_relations", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="productrelation",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="relations", to="tenants.product"
            ),
        ),
        migrations.AddField(
            model_name="recoverycode",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="recovery_codes", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="servicetoken",
            name="product",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tokens",
                to="tenants.product",
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="product",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.product",
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="service_token",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.servicetoken",
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="sign_in_links", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="workspace",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="workspaces", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="workspace",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.workspace",
            ),
        ),
        migrations.AddConstraint(
            model_name="membershipremoval",
            constraint=models.UniqueConstraint(fields=("organization", "user"), name="membership_removal_unique"),
        ),
        migrations.AddConstraint(
            model_name="membershipdrift",
            constraint=models.UniqueConstraint(
                fields=("organization", "user", "product", "drift_class"), name="membership_drift_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="membershipdrift",
            constraint=models.CheckConstraint(
                condition=models.Q(("drift_class__in", ["owner_reported"])), name="membership_drift_class_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="membershipdrift",
            constraint=models.CheckConstraint(
                condition=models.Q(("reported__in", ["owner", "admin", "member", "viewer", "removed"])),
                name="membership_drift_reported_known",
            ),
        ),
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(fields=["user"], name="membership_user"),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(fields=("organization", "user"), name="membership_unique"),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "admin", "member", "viewer"])), name="membership_role_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__in", ["identity", "product", "console"])), name="membership_origin_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("origin", "product"), ("origin_product__isnull", False)),
                    models.Q(models.Q(("origin", "product"), _negated=True), ("origin_product__isnull", True)),
                    _connector="OR",
                ),
                name="membership_origin_product_iff_product",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("name"), name="varchar_pattern_ops"
                ),
                name="user_name_prefix",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                name="user_email_is_lower_case",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(condition=models.Q(("is_superuser", False)), name="user_is_no_superuser"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="user_email_has_one_form",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    IF (TG_OP = 'INSERT' OR NEW.email IS DISTINCT FROM OLD.email)\n                        AND NEW.email !~ '^[!-~]+$' THEN\n                        RAISE EXCEPTION 'The e-mail address of user % is not in its ASCII form.', NEW.id\n                            USING ERRCODE = 'check_violation';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="b45bb264cd5fb852863527a93b705c4804ffdc88",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_user_email_has_one_form_b0fdd",
                    table="tenants_user",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="productrelation",
            constraint=models.UniqueConstraint(fields=("organization", "product"), name="product_relation_unique"),
        ),
        migrations.AddConstraint(
            model_name="productrelation",
            constraint=models.CheckConstraint(
                condition=models.Q(("source__in", ["created", "identity", "staff"])),
                name="product_relation_source_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoverycode",
            constraint=models.UniqueConstraint(fields=("user", "selector"), name="recovery_code_selector_unique"),
        ),
        migrations.AddConstraint(
            model_name="recoverycode",
            constraint=models.CheckConstraint(
                condition=models.Q(("secret_hash", ""), _negated=True), name="recovery_code_has_hash"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["product", "cron"])), name="service_token_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetoken",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "product"), ("product__isnull", False)),
                    models.Q(("kind", "cron"), ("product__isnull", True)),
                    _connector="OR",
                ),
                name="service_token_product_iff_product",
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetoken",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "scopes__contained_by",
                        [
                            "tenants:write",
                            "members:read",
                            "members:write",
                            "subscriptions:read",
                            "payments:write",
                            "credits:read",
                            "credits:write",
                            "connectors:read",
                            "connectors:write",
                            "usage:read",
                            "portal:create",
                            "tenants:manage",
                            "jobs:run",
                        ],
                    )
                ),
                name="service_token_scopes_known",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("name"), name="varchar_pattern_ops"
                ),
                name="workspace_name_prefix",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "manual_lifecycle_state__in",
                        ["pre_subscription", "trial", "active", "grace", "suspended_read_only", "closed", ""],
                    )
                ),
                name="workspace_overlay_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("manual_lifecycle_reason", ""), ("manual_lifecycle_state", "")),
                    models.Q(
                        models.Q(("manual_lifecycle_state", ""), _negated=True),
                        models.Q(("manual_lifecycle_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="workspace_overlay_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="workspace_has_name"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspace",
            trigger=pgtrigger.compiler.Trigger(
                name="workspace_organization_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="e97c4b5a38d75a96cc8cd7cf4d7704bab5f228a4",
                    operation="UPDATE",
                    pgid="pgtrigger_workspace_organization_is_fixed_8cc3d",
                    table="tenants_workspace",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="signinlink",
            index=models.Index(fields=["user", "-created_at"], name="sign_in_link_of_user"),
        ),
        migrations.AddConstraint(
            model_name="signinlink",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["invitation", "password_reset", "sign_in", "portal"])),
                name="sign_in_link_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="signinlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "portal"), ("product__isnull", False), ("workspace__isnull", False)),
                    models.Q(
                        models.Q(("kind", "portal"), _negated=True),
                        ("product__isnull", True),
                        ("workspace__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="sign_in_link_portal_has_workspace",
            ),
        ),
        migrations.AddConstraint(
            model_name="signinlink",
            constraint=models.CheckConstraint(
                condition=models.Q(("used_at__isnull", True), ("replaced_at__isnull", True), _connector="OR"),
                name="sign_in_link_ends_once",
            ),
        ),
    ]
