from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "apps.connectors"
    label = "connectors"
    verbose_name = "Connectors"

    def ready(self) -> None:
        """Add our pages to the billing pages' navigation, our lines to the previews of staff changes, our readiness."""
        from apps.connectors.selectors.connectors import describe_status_changes  # noqa: PLC0415
        from apps.connectors.services.credentials import check_keys_in_use  # noqa: PLC0415
        from apps.connectors.sync.closing import connectors_close, connectors_reopen  # noqa: PLC0415
        from apps.core import health  # noqa: PLC0415
        from apps.subscriptions import preview  # noqa: PLC0415
        from apps.tenants import closing, pages  # noqa: PLC0415

        closing.register_steps("connectors", closed=connectors_close, reopened=connectors_reopen)

        preview.register_consequence("connectors", describe_status_changes)
        pages.register_page(
            "connectors", label="Connectors", url_name="billing-connectors", order=60, operation="connectors.read"
        )
        pages.register_page(
            "automation", label="Automation", url_name="billing-automation", order=70, operation="connectors.read"
        )
        health.register_check(
            health.Check(
                "stored_credentials",
                check_keys_in_use,
                "Put the keys that stored credentials are under back into CREDENTIAL_KEYS; "
                "manage.py rotate_credential_keys names the connectors.",
            )
        )
