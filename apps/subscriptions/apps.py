from __future__ import annotations

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "apps.subscriptions"
    verbose_name = "Subscriptions"

    def ready(self) -> None:
        """Register with tenants: the payment config of new organizations, what the lifecycle allows, our page."""
        from apps.subscriptions.messages import workspace_lifecycle_access  # noqa: PLC0415
        from apps.subscriptions.services.payment_configs import payment_config_create  # noqa: PLC0415
        from apps.tenants import bootstrap, pages  # noqa: PLC0415

        bootstrap.register("payment_config", payment_config_create)
        pages.register_lifecycle(workspace_lifecycle_access)
        pages.register_page(
            "settings", label="Settings", url_name="billing-settings", order=90, operation="settings.read"
        )
