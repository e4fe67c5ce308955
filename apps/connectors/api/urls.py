"""Connectors, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path

from apps.connectors.api.syncs import ConnectorSyncsView, SyncRunView
from apps.connectors.api.views import (
    ConnectorCredentialView,
    ConnectorDisableView,
    ConnectorEnableView,
    ConnectorsView,
    ConnectorView,
    ShrinkConfirmView,
    ShrinkRejectView,
)

urlpatterns = [
    path("workspaces/<uuid:workspace_id>/connectors", ConnectorsView.as_view(), name="connectors"),
    path("connectors/<uuid:connector_id>", ConnectorView.as_view(), name="connector"),
    path("connectors/<uuid:connector_id>:enable", ConnectorEnableView.as_view(), name="connector-enable"),
    path("connectors/<uuid:connector_id>:disable", ConnectorDisableView.as_view(), name="connector-disable"),
    path("connectors/<uuid:connector_id>/credential", ConnectorCredentialView.as_view(), name="connector-credential"),
    path(
        "connectors/<uuid:connector_id>/months/<str:month>:confirm", ShrinkConfirmView.as_view(), name="month-confirm"
    ),
    path("connectors/<uuid:connector_id>/months/<str:month>:reject", ShrinkRejectView.as_view(), name="month-reject"),
    path("connectors/<uuid:connector_id>/syncs", ConnectorSyncsView.as_view(), name="connector-syncs"),
    path("sync-runs/<uuid:sync_run_id>", SyncRunView.as_view(), name="sync-run"),
]
