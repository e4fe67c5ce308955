"""The gate of the internal API, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path

from apps.subscriptions.api.views import EndGracePeriodView, LifecycleView, PaymentConfigView

urlpatterns = [
    path("workspaces/<uuid:workspace_id>/lifecycle", LifecycleView.as_view(), name="workspace-lifecycle"),
    path("organizations/<uuid:organization_id>/payment-config", PaymentConfigView.as_view(), name="payment-config"),
    path(
        "organizations/<uuid:organization_id>/payment-config/end-grace-period",
        EndGracePeriodView.as_view(),
        name="end-grace-period",
    ),
]
