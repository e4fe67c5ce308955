"""Staff sync a connector and ask for its re-authorization; the workspace page shows the runs (spec 08)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.models import Connector, ConnectorEvent, SyncRun
from apps.core import clock
from apps.core.enums import MembershipRole, Role
from apps.core.models import AuditEntry, OutboxItem
from apps.core.moments import write_months
from apps.core.outbox_handlers import EMAIL_KIND
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models import NoticeChoice
from tests.backoffice.people import client_of
from tests.connectors.cast import make_active_workspace, make_connector, make_sync_run, statuses, suspend
from tests.factories.tenants import make_membership, make_user
from tests.markup import Page

pytestmark = pytest.mark.django_db
SCRIPT = {"HX-Request": "true"}
WHY = "ticket 4711"


def post(role: Role, verb: str, connector: Connector) -> int:
    url = reverse(f"admin:connectors_connector_{verb}", args=(connector.pk,))
    return client_of(role).post(url, {"reason": WHY, "step": "apply"}, headers=SCRIPT).status_code


def look(verb: str, connector: Connector) -> str:
    """The preview, which changes nothing: no run, no audit entry, no mail, no other status."""
    client = client_of(Role.BILLING_OPERATIONS)
    before = everything(connector)
    url = reverse(f"admin:connectors_connector_{verb}", args=(connector.pk,))
    answer = client.post(url, {"reason": WHY}, headers=SCRIPT)
    assert (answer.status_code, everything(connector)) == (200, before)
    text = Page(answer.content.decode()).text
    assert "Nothing has been changed yet." in text
    return text


def everything(connector: Connector) -> tuple[object, ...]:
    counts = [model.objects.count() for model in (SyncRun, AuditEntry, OutboxItem, ConnectorEvent)]
    return (*Connector.objects.values_list("status", "version", "next_due_at").get(pk=connector.pk), *counts)


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


def test_the_question_for_an_authorization_counts_those_who_will_get_the_mail() -> None:
    workspace = make_active_workspace()
    organization, other = workspace.organization, make_user()
    for role in (MembershipRole.OWNER, MembershipRole.ADMIN, MembershipRole.ADMIN):
        make_membership(organization, make_user(), role)
    make_membership(organization, other, MembershipRole.VIEWER)
    connector = make_connector(workspace, provider="google_sheets")
    assert "An e-mail asks 3 people to authorize it again." in look("reauthorize", connector)
    NoticeChoice.objects.create(
        organization=organization, kind=NoticeKind.CONNECTORS, audience=NoticeAudience.CHOSEN, chosen=[other.pk]
    )
    assert "An e-mail asks 1 person to authorize it again." in look("reauthorize", connector)
    post(Role.BILLING_OPERATIONS, "reauthorize", connector)
    assert OutboxItem.objects.get(kind=EMAIL_KIND).payload["to"] == [other.email]


def test_each_switch_says_what_will_follow_before_it_is_pressed() -> None:
    workspace = make_active_workspace()
    make_membership(workspace.organization, make_user(), MembershipRole.OWNER)
    running = make_connector(workspace, provider="google_sheets")
    off = make_connector(workspace, ConnectorStatus.DISABLED, provider="demo")
    make_sync_run(running, status=SyncStatus.QUEUED, finished_at=None, lease_expires_at=clock.real_now())
    this_month = write_months(f"{clock.now():%Y-%m}")
    assert f"{this_month}." in look("sync", running)
    assert "1 sync ends before its next page." in look("disable", running)
    assert "An e-mail asks 1 person to authorize it again." in look("reauthorize", running)
    assert "It reads 14 months at once" in look("enable", off)
    waits = make_connector(workspace, ConnectorStatus.DISABLED)
    assert "before its organization has given it a key" in look("enable", waits)
    suspend(workspace)
    assert (
        "What follows"
        not in client_of(Role.BILLING_OPERATIONS)
        .post(reverse("admin:connectors_connector_enable", args=(off.pk,)), {"reason": WHY}, headers=SCRIPT)
        .content.decode()
    )
