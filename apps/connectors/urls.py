"""Pages of connectors."""

from __future__ import annotations

from django.urls import path

from apps.connectors.views.automation import Automation
from apps.connectors.views.connectors import (
    ConnectorCancel,
    ConnectorDetail,
    ConnectorDisable,
    ConnectorEnable,
    ConnectorKey,
    ConnectorList,
    ConnectorNew,
    ConnectorSync,
)
from apps.connectors.views.editing import ConnectorEdit, ConnectorMonth, ConnectorRemove, ConnectorTest
from apps.connectors.views.oauth import oauth_routes
from apps.connectors.views.records import RecordExport, RecordList

_WORKSPACE = "billing/<slug:workspace_slug>/"
_ONE = f"{_WORKSPACE}connectors/<uuid:connector_id>/"

urlpatterns = [
    *oauth_routes(),
    path(f"{_WORKSPACE}connectors/", ConnectorList.as_view(), name="billing-connectors"),
    path(f"{_WORKSPACE}connectors/new/", ConnectorNew.as_view(), name="billing-connector-new"),
    path(_ONE, ConnectorDetail.as_view(), name="billing-connector"),
    path(f"{_ONE}sync/", ConnectorSync.as_view(), name="billing-connector-sync"),
    path(f"{_ONE}cancel/", ConnectorCancel.as_view(), name="billing-connector-cancel"),
    path(f"{_ONE}enable/", ConnectorEnable.as_view(), name="billing-connector-enable"),
    path(f"{_ONE}disable/", ConnectorDisable.as_view(), name="billing-connector-disable"),
    path(f"{_ONE}edit/", ConnectorEdit.as_view(), name="billing-connector-edit"),
    path(f"{_ONE}remove/", ConnectorRemove.as_view(), name="billing-connector-remove"),
    path(f"{_ONE}test/", ConnectorTest.as_view(), name="billing-connector-test"),
    path(f"{_ONE}month/", ConnectorMonth.as_view(), name="billing-connector-month"),
    path(f"{_ONE}key/", ConnectorKey.as_view(), name="billing-connector-key"),
    path(f"{_WORKSPACE}records/", RecordList.as_view(), name="billing-records"),
    path(f"{_WORKSPACE}records.csv", RecordExport.as_view(), name="billing-records-csv"),
    path(f"{_WORKSPACE}automation/", Automation.as_view(), name="billing-automation"),
]
