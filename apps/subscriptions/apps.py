from __future__ import annotations

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "apps.subscriptions"
    verbose_name = "Subscriptions"

    def ready(self) -> None:
        """Register what tenants leave to the apps above: each organization's payment config, the posture, our page."""
        from apps.subscriptions.posture import workspace_posture  # noqa: PLC0415
        from apps.subscriptions.services.payment_configs import payment_config_create  # noqa: PLC0415
        from apps.tenants import bootstrap, navigation, posture  # noqa: PLC0415

        bootstrap.register("payment_config", payment_config_create)
        posture.register(workspace_posture)
        navigation.billing_page(
            "settings", label="Settings", url_name="billing-settings", order=80, operation="settings.read"
        )
