from __future__ import annotations

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "apps.payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Register with the apps below: customers of new organizations, consequences of a payment config, our page."""
        from apps.payments.config_handlers import payment_config_consequences  # noqa: PLC0415
        from apps.payments.outbox_handlers import provider_customers_enqueue  # noqa: PLC0415
        from apps.subscriptions.handlers import register_handler  # noqa: PLC0415
        from apps.tenants import bootstrap, pages  # noqa: PLC0415

        bootstrap.register("provider_customers", provider_customers_enqueue)
        register_handler("payments", payment_config_consequences)
        self._introduce_providers()
        pages.register_page(
            "invoices", label="Invoices", url_name="billing-invoices", order=40, operation="invoices.read"
        )

    def _introduce_providers(self) -> None:
        """Whom the mirror asks, once a key is set."""
        from apps.payments.providers import registry  # noqa: PLC0415
        from apps.payments.providers.orb.api import orb_api  # noqa: PLC0415
        from apps.payments.providers.stripe.api import stripe_api  # noqa: PLC0415
        from apps.subscriptions.enums import Provider  # noqa: PLC0415

        registry.register_api(Provider.STRIPE, stripe_api)
        registry.register_api(Provider.ORB, orb_api)
