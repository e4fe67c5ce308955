from __future__ import annotations

from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    name = "apps.backoffice"
    verbose_name = "Back office"

    def ready(self) -> None:
        # Pages import records, which exist only once every app is loaded.
        from apps.backoffice.registry import register_pages  # noqa: PLC0415

        register_pages()
