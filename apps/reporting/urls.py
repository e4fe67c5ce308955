"""Addresses of the billing pages that reporting serves."""

from __future__ import annotations

from django.urls import path

from apps.reporting.views import UsageExport, UsagePage

urlpatterns = [
    path("billing/<slug:workspace_slug>/usage/", UsagePage.as_view(), name="billing-usage"),
    path("billing/<slug:workspace_slug>/usage/usage.csv", UsageExport.as_view(), name="billing-usage-csv"),
]
