"""Filters find exactly what was asked for; what they can't understand finds nothing, and never everything."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.backoffice.filters import of_customers
from apps.backoffice.registry import registered_pages
from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry, OutboxItem
from apps.core.states import OutboxStatus
from apps.subscriptions.models import DecisionReceipt
from tests.backoffice.people import client_of
from tests.backoffice.records import make_job_run, make_outbox_item
from tests.connectors.cast import make_connector, make_sync_run
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def found(client: Client, route: str, **asked: str) -> set[str]:
    answer = client.get(reverse(f"admin:{route}_changelist"), asked)
    assert answer.status_code == 200
    return {str(record.pk) for record in answer.context["cl"].result_list}


def test_workspaces_by_organization(client: Client) -> None:
    mine, other = make_organization(name="Mine"), make_organization(name="Other")
    workspace = make_workspace(mine)
    make_workspace(other)
    for named in (str(mine.pk), mine.slug, mine.slug.upper()):
        assert found(client, "tenants_workspace", organization=named) == {str(workspace.pk)}
    assert found(client, "tenants_workspace", organization="nobody") == set()


def test_memberships_by_person(client: Client) -> None:
    user = make_user()
    membership = make_membership(make_organization(), user)
    make_membership(make_organization(), make_user())
    for named in (str(user.pk), user.email, user.email.upper()):
        assert found(client, "tenants_membership", user=named) == {str(membership.pk)}


def test_organizations_by_flags(client: Client) -> None:
    demo, real = make_organization(is_demo=True), make_organization()
    assert found(client, "tenants_organization", demo="yes") == {str(demo.pk)}
    assert found(client, "tenants_organization", demo="no") == {str(real.pk)}
    assert found(client, "tenants_organization", demo="maybe") == set()


def test_outbox_by_status(client: Client) -> None:
    organization = make_organization(is_demo=False)
    parked = make_outbox_item(organization, status=OutboxStatus.PARKED)
    make_outbox_item(organization)
    assert found(client, "core_outboxitem", status="parked") == {str(parked.pk)}


def test_sync_runs_by_status_trigger_organization_and_day(client: Client) -> None:
    failed = make_sync_run()
    asked = make_sync_run(trigger=SyncTrigger.USER, status=SyncStatus.CANCELLED, created_at=clock.now() - timedelta(9))
    day = failed.created_at.date().isoformat()
    slug = failed.connector.workspace.organization.slug
    for wanted, filters in (
        (failed, {"status": "failed"}),
        (asked, {"status": "cancelled"}),
        (asked, {"trigger": "user"}),
        (failed, {"organization": slug}),
        (failed, {"created_at_from": day}),
        (asked, {"created_at_until": asked.created_at.date().isoformat()}),
        (failed, {"q": str(failed.connector_id)}),
    ):
        assert found(client, "connectors_syncrun", **filters) == {str(wanted.pk)}
    assert found(client, "connectors_syncrun", status="lost") == set()


def plan_with(index: str, rows: QuerySet[Any]) -> str:
    """How the rows are read where the table has this index and no other: of few rows any index may be the cheapest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND NOT indisunique",
            [rows.model._meta.db_table],
        )
        others = [name for (name,) in cursor.fetchall() if name != index]
        cursor.execute(f"DROP INDEX {', '.join(others)}")  # until the test's end
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    return rows.explain()


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ({}, "sync_run_latest"),
        ({"status": "failed"}, "sync_run_by_status"),
        ({"trigger": "user"}, "sync_run_by_trigger"),
    ],
)
def test_an_index_serves_the_order_of_sync_runs_with_each_filter(condition: dict[str, str], index: str) -> None:
    plan = plan_with(index, SyncRun.objects.filter(**condition).order_by("-created_at", "id")[:50])
    assert index in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"question__product_id": str(uuid.uuid4())}, "decision_receipt_product"),
        ({"question__operation": "unit"}, "decision_receipt_operation"),
    ],
)
def test_an_index_serves_the_order_of_decisions_by_what_was_asked(asked: dict[str, str], index: str) -> None:
    plan = plan_with(index, DecisionReceipt.objects.filter(**asked).order_by("-created_at")[:50])
    assert index in plan
    assert "Sort" not in plan


def test_what_cutover_checks_made_is_looked_up_once_for_a_whole_list() -> None:
    rows = OutboxItem.objects.filter(of_customers("organization_id")).order_by("-created_at")[:50]
    plan = plan_with("outbox_item_created", rows)
    assert "outbox_item_created" in plan
    assert "hashed SubPlan" in plan
    assert "Join" not in plan


def test_runs_and_calls_are_searched_by_words_that_are_known(client: Client) -> None:
    run, call = make_job_run(), make_outbox_item(make_organization())
    with CaptureQueriesContext(connection) as captured:
        assert found(client, "core_jobrun", q="drain-") == {str(run.pk)}
        assert found(client, "core_outboxitem", q="Email.s") == {str(call.pk)}
        assert found(client, "core_jobrun", q="nothing-begins-so") == set()
    # No index serves the beginning of a text in these columns.
    assert not [query["sql"] for query in captured if "LIKE" in query["sql"]]


def test_workspaces_with_auto_disabled_connectors(client: Client) -> None:
    off, on, closed = (make_connector(make_workspace(make_organization())) for _ in range(3))
    assert on.status == "enabled"
    for connector, cause in ((off, "unsubscribed"), (closed, "organization_closed")):
        off_by = {"auto_disable_reason": cause, "auto_disable_causes": [cause]}
        Connector.objects.filter(pk=connector.pk).update(status="auto_disabled", **off_by)
    assert found(client, "tenants_workspace", auto_disabled="yes") == {str(off.workspace_id)}
    assert found(client, "tenants_workspace", auto_disabled="no") == {str(on.workspace_id), str(closed.workspace_id)}
    assert found(client, "tenants_workspace", auto_disabled="maybe") == set()


def test_audit_log_by_day_event_actor_and_record(client: Client) -> None:
    organization = make_organization()
    entry = AuditEntry.objects.get(event="organization.created", organization_id=organization.pk)
    day = entry.recorded_at.date().isoformat()
    exact = {"organization": str(organization.pk), "event": "organization.created"}
    assert found(client, "core_auditentry", **exact) == {str(entry.pk)}
    assert found(client, "core_auditentry", **exact, recorded_at_from=day, recorded_at_until=day) == {str(entry.pk)}
    assert found(client, "core_auditentry", **exact, recorded_at_until="2001-01-01") == set()
    assert found(client, "core_auditentry", **exact, recorded_at_from="9999-12-31") == set()
    assert found(client, "core_auditentry", **exact, actor=entry.actor_label) == {str(entry.pk)}
    assert str(entry.pk) in found(client, "core_auditentry", target=str(organization.pk))


@pytest.mark.parametrize("bad", ["not-a-date", "2026-13-40", "9999-12-31T00:00", "'"])
def test_a_day_that_is_none_finds_nothing(client: Client, bad: str) -> None:
    make_organization()
    assert found(client, "core_auditentry", recorded_at_from=bad) == set()


def test_a_last_day_at_the_end_of_time_finds_nothing(client: Client) -> None:
    make_organization()
    assert found(client, "core_auditentry", recorded_at_until="9999-12-31") == set()


@pytest.mark.walk
def test_every_filter_of_every_list_survives_odd_values(client: Client) -> None:
    for page in registered_pages():
        url = reverse(f"admin:{page.route_prefix}_changelist")
        for filter_class in page.declared_filters():
            for name in filter_class.parameters:
                for value in ("ünïcode' OR 1=1", "9" * 400):
                    assert client.get(url, {name: value}).status_code == 200, (page, name, value)


def test_a_field_that_is_no_filter_is_refused(client: Client) -> None:
    """Django takes any field of the record, by which a password's hash could be guessed letter by letter."""
    for field in ("password__startswith", "password", "is_active__exact", "groups__name", "pk__in"):
        assert client.get(reverse("admin:tenants_user_changelist"), {field: "x"}).status_code == 400
