from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Load what every app declares for the machinery: audit events, handlers of calls to the outside, jobs."""
        autodiscover_modules("events", "outbox_handlers", "jobs")
