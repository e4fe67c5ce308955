from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "apps.connectors"
    label = "connectors"
    verbose_name = "Connectors"

    def ready(self) -> None:
        """Add our pages to the navigation of the billing pages."""
        from apps.tenants import navigation  # noqa: PLC0415

        navigation.billing_page(
            "connectors", label="Connectors", url_name="billing-connectors", order=60, operation="connectors.read"
        )
        navigation.billing_page(
            "automation", label="Automation", url_name="billing-automation", order=70, operation="connectors.read"
        )
