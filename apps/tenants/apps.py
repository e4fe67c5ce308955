from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Tell the machinery of jobs, which stands below, which organizations are demos."""
        from apps.core.jobs.demo import register_is_demo  # noqa: PLC0415
        from apps.tenants.selectors.organizations import is_demo_organization  # noqa: PLC0415

        register_is_demo(is_demo_organization)
