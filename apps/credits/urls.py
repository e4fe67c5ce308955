"""Addresses of the billing pages that credits serves."""

from __future__ import annotations

from django.urls import path

from apps.credits.views import CreditsExport, CreditsPage

urlpatterns = [
    path("billing/<slug:workspace_slug>/credits/", CreditsPage.as_view(), name="billing-credits"),
    path("billing/<slug:workspace_slug>/credits/entries.csv", CreditsExport.as_view(), name="billing-credits-csv"),
]
