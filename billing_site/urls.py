"""All URLs."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.core.urls")),
    path("admin/", admin.site.urls),
    path("", include("apps.tenants.urls")),
    path("", include("apps.subscriptions.urls")),
    path("", include("apps.credits.urls")),
    path("", include("apps.payments.urls")),
    path("", include("apps.connectors.urls")),
    path("", include("apps.reporting.urls")),
    path("api/v1/internal/", include("apps.tenants.api.urls")),
    path("api/v1/internal/", include("apps.subscriptions.api.urls")),
    path("api/v1/internal/", include("apps.credits.api.urls")),
    path("api/v1/internal/", include("apps.connectors.api.urls")),
    path("api/v1/internal/", include("apps.reporting.api.urls")),
]

handler400 = "apps.core.pages.bad_request"
handler403 = "apps.core.pages.permission_denied"
handler404 = "apps.core.pages.page_not_found"
handler500 = "apps.core.pages.server_error"
