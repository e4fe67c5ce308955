from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Tell the machinery of jobs, which stands below, which organizations are demos; our readiness; our pages."""
        from django.contrib.auth.signals import user_logged_out  # noqa: PLC0415

        from apps.core import health  # noqa: PLC0415
        from apps.core.jobs.demo import register_is_demo  # noqa: PLC0415
        from apps.tenants import pages  # noqa: PLC0415
        from apps.tenants.export_keys import check_export_keys  # noqa: PLC0415
        from apps.tenants.selectors.organizations import is_demo_organization  # noqa: PLC0415
        from apps.tenants.sign_in.impersonation import leave_at_sign_out  # noqa: PLC0415

        user_logged_out.connect(leave_at_sign_out, dispatch_uid="impersonation")

        health.register_check(
            health.Check(
                "membership_export_keys",
                check_export_keys,
                "Put the keys that the products' export keys are under back into CREDENTIAL_KEYS.",
            )
        )
        register_is_demo(is_demo_organization)
        pages.register_page("members", label="Members", url_name="billing-members", order=50, operation="members.read")
        pages.register_page(
            "help",
            label="Help",
            url_name="billing-help",
            order=80,
            operation="workspaces.read",
            is_always_open=True,
        )
