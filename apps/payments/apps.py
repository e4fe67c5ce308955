from __future__ import annotations

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "apps.payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Register with the apps below: customers of new organizations, consequences of a payment config, our page."""
        from apps.payments.config_handlers import (  # noqa: PLC0415
            describe_open_invoices,
            handle_payment_config_change,
        )
        from apps.payments.outbox_handlers import customers_follow, provider_customers_enqueue  # noqa: PLC0415
        from apps.payments.selectors.dues import organization_dues, unpaid_invoices  # noqa: PLC0415
        from apps.payments.status_sync import read_standing  # noqa: PLC0415
        from apps.payments.workspace_connectors import lock_connectors_of_change  # noqa: PLC0415
        from apps.payments.workspace_sync import settle_after_staff  # noqa: PLC0415
        from apps.subscriptions.handlers import (  # noqa: PLC0415
            register_handler,
            register_lock,
            register_standing,
            register_subscription_handler,
        )
        from apps.subscriptions.preview import register_consequence  # noqa: PLC0415
        from apps.tenants import billing_contact, bootstrap, closing, pages  # noqa: PLC0415

        bootstrap.register("provider_customers", provider_customers_enqueue)
        billing_contact.register("provider_customers", customers_follow)
        closing.register_open_items("invoices", unpaid_invoices)
        register_handler("payments", handle_payment_config_change)
        register_standing("payments", read_standing)
        register_consequence("open_invoices", describe_open_invoices)
        register_subscription_handler("payments", settle_after_staff)
        register_lock("connectors", lock_connectors_of_change)
        pages.register_dues(organization_dues)
        # What is owed can be paid whatever else is closed.
        pages.register_page(
            "invoices",
            label="Invoices",
            url_name="billing-invoices",
            order=40,
            operation="invoices.read",
            is_always_open=True,
        )
