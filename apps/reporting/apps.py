from __future__ import annotations

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "apps.reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        """Add our pages to the navigation, the rollups to the nightly look at the books, and their sums to Credits."""
        from apps.core import backlog  # noqa: PLC0415
        from apps.credits.selectors import burn, entry_sums  # noqa: PLC0415
        from apps.credits.services import books  # noqa: PLC0415
        from apps.reporting.sections.registry import load_sections  # noqa: PLC0415
        from apps.reporting.selectors.books import differences_of_check, differences_of_sums  # noqa: PLC0415
        from apps.reporting.selectors.entry_sums import sums_of_entries  # noqa: PLC0415
        from apps.reporting.selectors.faults import all_rollup_faults  # noqa: PLC0415
        from apps.reporting.selectors.movements import kept_days  # noqa: PLC0415
        from apps.reporting.services.books import check_keep  # noqa: PLC0415
        from apps.reporting.services.schedules import schedule_resume  # noqa: PLC0415
        from apps.tenants import closing, pages  # noqa: PLC0415

        closing.register_steps("reports", reopened=schedule_resume)

        entry_sums.register_sums(sums_of_entries)
        burn.register_reader("rollups", kept_days)
        backlog.register_books("entries", differences_of_check)
        backlog.register_books("sums", differences_of_sums)
        books.register_check("rollups", all_rollup_faults)
        books.register_keeper("reports", check_keep)
        pages.register_page(
            "overview", label="Overview", url_name="billing-overview", order=10, operation="overview.read"
        )
        pages.register_page("usage", label="Usage", url_name="billing-usage", order=20, operation="usage.read")
        pages.register_page(
            "daily-reports",
            label="Daily reports",
            url_name="billing-daily-reports",
            order=75,
            operation="daily_reports.read",
        )
        load_sections()
