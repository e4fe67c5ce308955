from __future__ import annotations

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "apps.reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        """Add our page to the navigation of the billing pages."""
        from apps.tenants import pages  # noqa: PLC0415

        pages.register_page("usage", label="Usage", url_name="billing-usage", order=20, operation="usage.read")
