"""Addresses of the billing pages that subscriptions serves."""

from __future__ import annotations

from django.urls import path

from apps.subscriptions.views import BillingEmailPage, SettingsPage

urlpatterns = [
    path("billing/<slug:workspace_slug>/settings/", SettingsPage.as_view(), name="billing-settings"),
    path(
        "billing/<slug:workspace_slug>/settings/billing-email/",
        BillingEmailPage.as_view(),
        name="billing-settings-email",
    ),
]
