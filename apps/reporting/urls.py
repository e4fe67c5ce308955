"""Addresses of the billing pages that reporting serves, and of the links in its mails."""

from __future__ import annotations

from django.urls import path

from apps.reporting.alerts_page import BalanceAlertsPage
from apps.reporting.mail_links import report_confirm, report_unsubscribe
from apps.reporting.overview_page import OverviewPage
from apps.reporting.report_pages import DailyReportCsv, DailyReportsPage, DailyReportWorkbook, RecipientsPage
from apps.reporting.views import UsageExport, UsagePage

_WORKSPACE = "billing/<slug:workspace_slug>/"

urlpatterns = [
    path(f"{_WORKSPACE}overview/", OverviewPage.as_view(), name="billing-overview"),
    path(f"{_WORKSPACE}usage/", UsagePage.as_view(), name="billing-usage"),
    path(f"{_WORKSPACE}usage/usage.csv", UsageExport.as_view(), name="billing-usage-csv"),
    path(f"{_WORKSPACE}daily-reports/", DailyReportsPage.as_view(), name="billing-daily-reports"),
    path(f"{_WORKSPACE}daily-reports/report.csv", DailyReportCsv.as_view(), name="billing-daily-reports-csv"),
    path(f"{_WORKSPACE}daily-reports/report.xlsx", DailyReportWorkbook.as_view(), name="billing-daily-reports-xlsx"),
    path(f"{_WORKSPACE}settings/report-recipients/", RecipientsPage.as_view(), name="billing-report-recipients"),
    path(f"{_WORKSPACE}settings/balance-alerts/", BalanceAlertsPage.as_view(), name="billing-balance-alerts"),
    path("reports/unsubscribe/<str:token>/", report_unsubscribe, name="report-unsubscribe"),
    path("reports/confirm/<str:token>/", report_confirm, name="report-confirm"),
]
