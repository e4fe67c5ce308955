"""Lists as files: exactly the rows of the filter, harmless in a spreadsheet, read in pieces."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice import list_files
from apps.backoffice.registry import registered_pages
from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import ActorKind, AuthorizationSource, Role
from apps.core.models import AuditEntry
from apps.credits.models import CreditAccount
from apps.payments.models import ProviderInvoice
from tests.backoffice.people import client_of
from tests.backoffice.records import MAKERS
from tests.connectors.cast import make_connector
from tests.factories.tenants import make_organization, make_workspace

pytestmark = pytest.mark.django_db

PAGES = [page for page in registered_pages() if page.file_columns]


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def file_of(client: Client, route: str, **asked: str) -> list[dict[str, str]]:
    answer: Any = client.get(reverse(f"admin:{route}_list_file"), asked)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.route_prefix)
def test_every_file_has_the_rows_of_its_list(client: Client, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_files, "AT_ONCE", 2)
    for _ in range(3):
        MAKERS[page.model]()
    listed = client.get(reverse(f"admin:{page.route_prefix}_changelist")).context["cl"].result_list
    rows = file_of(client, page.route_prefix)
    last = list(page.file_columns)[-1]
    assert sorted(row[last] for row in rows) == sorted(str(list(page.file_columns.values())[-1](row)) for row in listed)
    assert len(rows) >= 3


def test_a_file_has_only_what_the_filter_lets_through_and_no_formula(client: Client) -> None:
    evil = make_organization(name="=HYPERLINK(1)")
    make_workspace(evil, name="+1")
    make_workspace(make_organization(name="Other"))
    (row,) = file_of(client, "tenants_workspace", organization=str(evil.pk))
    assert (row["organization"], row["workspace"]) == ("'=HYPERLINK(1)", "'+1")
    assert file_of(client, "tenants_workspace", organization="nobody-of-that-name") == []


def test_a_lookup_that_is_no_filter_gives_no_file(client: Client) -> None:
    assert client.get(reverse("admin:tenants_workspace_list_file"), {"slug__startswith": "a"}).status_code in {302, 400}


def test_connectors_whose_last_sync_failed(client: Client) -> None:
    now = clock.now()
    never, mended, broken, fine = (make_connector(make_workspace(make_organization())) for _ in range(4))
    for connector in (never, mended, broken):
        _failed(connector, now)
    _succeeded(mended, now + timedelta(minutes=1))
    _succeeded(broken, now - timedelta(minutes=1))
    _succeeded(fine, now)
    rows = file_of(client, "connectors_connector", failing="yes")
    assert {row["id"] for row in rows} == {str(never.pk), str(broken.pk)}
    assert {row["id"] for row in file_of(client, "connectors_connector", failing="no")} == {
        str(mended.pk),
        str(fine.pk),
    }
    page = client.get(reverse("admin:connectors_connector_changelist")).content.decode()
    assert page.count('<span class="ch-badge ch-badge-bad">Last sync failed</span>') == 2


def _failed(connector: Connector, at: datetime) -> None:
    SyncRun.objects.create(
        connector=connector, month="2026-01", trigger=SyncTrigger.USER, reason="asked for", status=SyncStatus.FAILED,
        actor_label="a", role=Role.BILLING_OPERATIONS, authorization_source=AuthorizationSource.SESSION,
        request_id="r", created_at=at, finished_at=at, error_code="upstream_refused",
    )  # fmt: skip


def _succeeded(connector: Connector, at: datetime) -> None:
    Connector.objects.filter(pk=connector.pk).update(last_success_at=at)


def test_the_audit_log_of_people_only_and_its_names(client: Client) -> None:
    workspace = make_workspace(make_organization(name="Named Ltd"), name="Lab")
    everything = client.get(reverse("admin:core_auditentry_changelist"))
    assert "Lab" in everything.content.decode()
    kinds = {row.actor_kind for row in client.get(_audit_of_people()).context["cl"].result_list}
    assert kinds <= {ActorKind.USER.value}
    of_workspace = file_of(client, "core_auditentry", target=str(workspace.pk))
    assert {row["record name"] for row in of_workspace} == {"Lab"}
    assert len(of_workspace) == AuditEntry.objects.filter(target_id=str(workspace.pk)).count()


def _audit_of_people() -> str:
    return f"{reverse('admin:core_auditentry_changelist')}?people=yes"


def test_a_negative_amount_stays_a_number(client: Client) -> None:
    """Semkoo/niko-table-registry#194: a guard against formulas made texts of them, which nothing adds up."""
    invoice = MAKERS[ProviderInvoice]()
    ProviderInvoice.objects.filter(pk=invoice.pk).update(total_minor=-1_950, currency="EUR")
    account = MAKERS[CreditAccount]()
    CreditAccount.objects.filter(pk=account.pk).update(balance=-12_500_000, held=0, floor=-MICRO * 100)
    (row,) = [row for row in file_of(client, "payments_providerinvoice") if row["id"] == str(invoice.pk)]
    assert (row["total"], row["currency"]) == ("-19.50", "EUR")
    (row,) = [row for row in file_of(client, "credits_creditaccount") if row["organization id"] == str(account.pk)]
    assert row["balance"] == "-12.5"
