from __future__ import annotations

from django.apps import AppConfig

from apps.core.garbage import end_loading


class BackofficeConfig(AppConfig):
    name = "apps.backoffice"
    verbose_name = "Back office"

    def ready(self) -> None:
        # Pages import records, which exist only once every app is loaded.
        from apps.backoffice.registry import register_pages  # noqa: PLC0415

        register_pages()
        end_loading()  # this is the last app of all
