from __future__ import annotations

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "apps.payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Register with the apps below: customers of new organizations, consequences of a payment config, our page."""
        from apps.payments.config_handlers import handle_payment_config_change  # noqa: PLC0415
        from apps.payments.outbox_handlers import provider_customers_enqueue  # noqa: PLC0415
        from apps.payments.workspace_sync import settle_after_staff  # noqa: PLC0415
        from apps.subscriptions.handlers import register_handler, register_subscription_handler  # noqa: PLC0415
        from apps.tenants import bootstrap, pages  # noqa: PLC0415

        bootstrap.register("provider_customers", provider_customers_enqueue)
        register_handler("payments", handle_payment_config_change)
        register_subscription_handler("payments", settle_after_staff)
        pages.register_page(
            "invoices", label="Invoices", url_name="billing-invoices", order=40, operation="invoices.read"
        )
