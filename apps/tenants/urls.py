"""Addresses of the tenant plane that belong to no page of their own app."""

from __future__ import annotations

from django.urls import path

from apps.tenants.views import SignIn, WorkspaceHome, billing_home, sign_out

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_out, name="sign-out"),
    path("billing/", billing_home, name="billing-home"),
    path("billing/<slug:workspace_slug>/", WorkspaceHome.as_view(), name="billing-workspace"),
]
