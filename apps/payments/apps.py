from __future__ import annotations

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "apps.payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Register what subscriptions leave to us: what follows from a change of a payment config."""
        from apps.payments.consequences import payment_config_consequences  # noqa: PLC0415
        from apps.subscriptions import consequences  # noqa: PLC0415

        consequences.register("payments", payment_config_consequences)
