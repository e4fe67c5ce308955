from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Load what every app registers with core. Operations come first: jobs and views name them."""
        from apps.core import clock  # noqa: PLC0415
        from apps.core.checks import credential_keys_are_usable, database_is_usable  # noqa: PLC0415
        from apps.core.clock_shift import explain_missing_clock, read_shift  # noqa: PLC0415

        register(credential_keys_are_usable)
        register(database_is_usable, Tags.database)
        if not explain_missing_clock():
            clock.follow(read_shift)
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            # Imports packages that only those have installed who want traces.
            from apps.core.observability.tracing import set_up_tracing  # noqa: PLC0415

            set_up_tracing(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
        autodiscover_modules("operations", "events", "outbox_handlers", "jobs")
