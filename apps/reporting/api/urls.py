"""Usage, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path

from apps.reporting.api.views import UsageView

urlpatterns = [path("workspaces/<uuid:workspace_id>/usage:query", UsageView.as_view(), name="usage-query")]
