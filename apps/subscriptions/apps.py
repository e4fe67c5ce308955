from __future__ import annotations

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "apps.subscriptions"
    verbose_name = "Subscriptions"

    def ready(self) -> None:
        """Every new organization gets its payment config, in the transaction that makes it."""
        from apps.subscriptions.services.payment_config_create import payment_config_create  # noqa: PLC0415
        from apps.tenants import bootstrap  # noqa: PLC0415

        bootstrap.register("payment_config", payment_config_create)
