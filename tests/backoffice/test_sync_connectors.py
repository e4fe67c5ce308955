"""Staff sync a connector and ask for its re-authorization; the workspace page shows the runs (spec 08)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.connectors.models import Connector, SyncRun
from apps.core.enums import Role
from apps.core.models import AuditEntry
from tests.backoffice.people import client_of
from tests.connectors.cast import make_active_workspace, make_connector, statuses

pytestmark = pytest.mark.django_db
SCRIPT = {"HX-Request": "true"}
WHY = "ticket 4711"


def post(role: Role, verb: str, connector: Connector) -> int:
    url = reverse(f"admin:connectors_connector_{verb}", args=(connector.pk,))
    return client_of(role).post(url, {"reason": WHY}, headers=SCRIPT).status_code


def test_sync_now_queues_what_is_due_and_the_page_shows_it() -> None:
    connector = make_connector(make_active_workspace())
    assert post(Role.SUPPORT, "sync", connector) == 403
    assert not SyncRun.objects.exists()
    assert post(Role.BILLING_OPERATIONS, "sync", connector) == 200
    assert SyncRun.objects.filter(connector=connector).count() == 14
    assert AuditEntry.objects.get(event="sync.requested").reason == WHY
    page = reverse("admin:tenants_workspace_change", args=(connector.workspace_id,))
    shown = client_of(Role.BILLING_OPERATIONS).get(page).content.decode()
    assert reverse("admin:connectors_connector_sync", args=(connector.pk,)) in shown
    assert SyncRun.objects.latest("month").month in shown
    assert reverse("admin:connectors_connector_sync", args=(connector.pk,)) not in (
        client_of(Role.SUPPORT).get(page).content.decode()
    )


def test_asking_for_an_authorization_stops_one_of_google_and_no_other() -> None:
    workspace = make_active_workspace()
    of_google, with_key = make_connector(workspace, provider="google_sheets"), make_connector(workspace)
    assert post(Role.SUPPORT, "reauthorize", of_google) == 403
    for connector in (of_google, with_key):
        post(Role.BILLING_OPERATIONS, "reauthorize", connector)
    assert statuses(of_google, with_key) == ["needs_reauthorization", "enabled"]
