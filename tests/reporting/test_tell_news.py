"""What each section tells of an organization and of the platform (spec 07, Daily report)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.connectors.enums import AutoDisableReason, ConnectorStatus, SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.core.amounts import MICRO
from apps.core.enums import AuthorizationSource, Role
from apps.core.ids import OrganizationId
from apps.core.models import AuditChain
from apps.payments.enums import BillingEventName, InvoiceStatus
from apps.payments.models import BillingEvent, ProviderDispute
from apps.reporting.models import DailyReport
from apps.reporting.rules.document import Document, Line, ReportScope, read_document
from apps.reporting.rules.presenting import chapters_of, text_of
from apps.reporting.rules.schedule import window_of
from apps.reporting.sections.registry import sections_of
from apps.reporting.services import rollups_refresh
from apps.reporting.services.daily_reports import daily_report_make
from apps.reporting.services.schedules import schedules_prepare
from apps.subscriptions.contracts import StartGrace
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Organization, Workspace
from tests.backoffice.records import make_event, make_invoice, make_outbox_item
from tests.contexts import console_context
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_workspace
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MORNING_AFTER = datetime(2026, 11, 3, 2, tzinfo=UTC)


@pytest.fixture
def place() -> Place:
    """An organization with everything that a report may speak of."""
    with at(NOON - timedelta(days=2)):
        found = make_place(whole_credits=100)
        space = make_workspace(found.organization, "One")
    organization = found.organization
    with at(NOON):
        payment_config_change(
            console_context(OrganizationId(organization.pk)),
            organization_id=OrganizationId(organization.pk),
            change=StartGrace(started_at=NOON),
            reason="for the test",
        )
        add_failures(space)
        add_payment_trouble(organization)
        add_denials(organization)
        make_event(received_at=NOON)
        make_outbox_item(organization)
    return found


def add_failures(space: Workspace) -> None:
    """Connectors that stopped, and a sync that failed."""
    off = Connector.objects.create(
        workspace=space,
        provider="demo",
        name="Off",
        status=ConnectorStatus.AUTO_DISABLED,
        auto_disable_reason=AutoDisableReason.TOO_MANY_FAILURES,
        auto_disable_causes=["too_many_failures"],
    )
    Connector.objects.create(
        workspace=space, provider="demo", name="Locked out", status=ConnectorStatus.NEEDS_REAUTHORIZATION
    )
    Connector.objects.create(workspace=space, provider="demo", name="On", status=ConnectorStatus.ENABLED)
    SyncRun.objects.create(
        connector=off,
        month="2026-10",
        trigger=SyncTrigger.SCHEDULE,
        reason="due",
        status=SyncStatus.FAILED,
        actor_label="scheduler:sync",
        role=Role.SYSTEM,
        authorization_source=AuthorizationSource.SCHEDULER,
        request_id="r",
        error_code="provider_unavailable",
        created_at=NOON,
        finished_at=NOON,
    )


def add_payment_trouble(organization: Organization) -> None:
    BillingEvent.objects.create(
        organization=organization,
        name=BillingEventName.INVOICE_FAILED,
        key="failed-1",
        occurred_at=NOON - timedelta(days=3),
        recorded_at=NOON,
        request_id="r",
    )
    make_invoice(
        organization,
        status=InvoiceStatus.OPEN,
        due_at=NOON - timedelta(days=4),
        number="N-7",
        currency="EUR",
        amount_remaining_minor=1_250,
    )
    ProviderDispute.objects.create(
        provider=Provider.STRIPE,
        external_id="dp_1",
        organization=organization,
        status="needs_response",
        amount_minor=4_200,
        currency="EUR",
        reason="fraudulent",
        news_at=NOON,
    )


def add_denials(organization: Organization) -> None:
    for actor in ("red", "red", "someone@else.example"):
        DecisionReceipt.objects.create(
            kind="credits",
            decision="deny",
            code="insufficient_credits",
            organization_id=organization.pk,
            actor_label=actor,
            question={},
            chain=[],
            records=[],
            request_id="r",
            created_at=NOON,
        )


def read(scope: ReportScope) -> Document:
    with at(MORNING_AFTER):
        rollups_refresh(console_context())
        window = window_of(UTC, DAY, former_end=None)
        sections = tuple(entry.read(scope, DAY, window) for entry in sections_of(scope))
        return Document(scope, DAY, window, MORNING_AFTER, sections)


def own_scope(place: Place) -> ReportScope:
    slug = place.organization.workspaces.get().slug
    return ReportScope(place.organization.pk, place.organization.name, "UTC", slug)


def lines(document: Document, section: str, group: str) -> list[Line]:
    (found,) = (one for one in document.sections if one.key == section)
    (lines,) = (one.lines for one in found.groups if one.key == group)
    return list(lines)


def figures(document: Document, section: str, group: str) -> dict[str, Any]:
    return {line.label: line.value for line in lines(document, section, group)}


def test_an_organization_reads_its_own_news(place: Place) -> None:
    document = read(own_scope(place))
    news = figures(document, "payments", "news")
    assert (news["Failed payments"], news["Grace periods started"], news["Locked"]) == (1, 1, 0)
    (grace,) = lines(document, "payments", "grace")
    assert grace.value is not None
    assert grace.is_alarm
    (dispute,) = lines(document, "payments", "disputes")
    assert (dispute.value, dispute.currency, dispute.note) == (4_200, "EUR", "fraudulent")
    (invoice,) = lines(document, "payments", "overdue")
    assert (invoice.label, invoice.value, invoice.note) == ("Invoice N-7", 1_250, "due 4 days ago")
    assert figures(document, "connectors", "failed") == {"One, Off": 1}
    (off,) = lines(document, "connectors", "auto_disabled")
    assert (off.label, off.note) == ("One, Off", "Too many failures")
    assert [line.label for line in lines(document, "connectors", "needs_authorization")] == ["One, Locked out"]
    months = lines(document, "connectors", "open_months")
    assert months[-1].label == "One, On: 2026-10"
    assert months[-1].value == 2
    assert figures(document, "access", "denials") == {"insufficient_credits": 3}
    # Who is no member is not named to the organization.
    assert figures(document, "access", "affected") == {place.product.name: 2, "someone else": 1}
    assert "someone@else.example" not in text_of(document)
    for section in document.sections:
        for group in section.groups:
            assert all(line.link.startswith("/billing/") for line in group.lines), group


def test_the_platform_reads_everybodys_news_with_the_chains_heads(place: Place) -> None:
    document = read(ReportScope(None, "The platform", "UTC"))
    assert figures(document, "payments", "news")["Grace periods started"] == 1
    (grace,) = lines(document, "payments", "grace")
    assert grace.label == place.organization.name
    assert figures(document, "connectors", "failed") == {"provider_unavailable": 1}
    months = lines(document, "connectors", "open_months")
    assert (months[-1].label, months[-1].value, months[-1].note) == ("2026-10", 2, "1 connector")
    assert [month.label for month in months] == sorted(month.label for month in months)
    assert figures(document, "access", "affected")["someone@else.example"] == 1
    assert figures(document, "operations", "parked")["Parked events"] == 1
    heads = lines(document, "operations", "audit_heads")
    chain = AuditChain.objects.filter(organization_id=None).first()
    assert heads[0].value == (chain.last_hash if chain else "")
    assert f"{AuditChain.objects.count():,} chains" in heads[1].note
    for section in document.sections:
        for group in section.groups:
            assert all(line.link.startswith("/admin/") for line in group.lines), group


def test_a_synthetic_organization_is_in_no_figure_of_the_platform(place: Place) -> None:
    with_it = read(ReportScope(None, "The platform", "UTC"))
    Organization.objects.filter(pk=place.organization.pk).update(is_synthetic=True)
    without = read(ReportScope(None, "The platform", "UTC"))
    assert place.organization.name in text_of(with_it)
    assert place.organization.name not in text_of(without)
    assert figures(without, "payments", "news")["Failed payments"] == 0
    assert figures(without, "access", "denials") == {}


def test_news_are_told_by_when_they_arrived(place: Place) -> None:
    scope = own_scope(place)
    with at(MORNING_AFTER):
        earlier = window_of(UTC, DAY - timedelta(days=1), former_end=None)
        sections = {entry.name: entry for entry in sections_of(scope)}
        told = sections["payments"].read(scope, DAY - timedelta(days=1), earlier)
    (news,) = (group for group in told.groups if group.key == "news")
    # The payment failed before that day had ended; we heard of it on the next one.
    assert {line.label: line.value for line in news.lines}["Failed payments"] == 0


def test_no_section_asks_more_where_there_is_more(place: Place) -> None:
    scope = own_scope(place)
    read(scope)
    with CaptureQueriesContext(
        connection,
    ) as few:
        read(scope)
    space = place.organization.workspaces.get()
    for number in range(12):
        Connector.objects.create(
            workspace=space, provider="demo", name=f"More {number}", status=ConnectorStatus.NEEDS_REAUTHORIZATION
        )
        make_invoice(
            place.organization,
            status=InvoiceStatus.OPEN,
            due_at=NOON,
            number=f"M-{number}",
            currency="EUR",
            external_id=f"in_more_{number}",
        )
    with CaptureQueriesContext(connection) as many:
        document = read(scope)
    assert len(lines(document, "connectors", "needs_authorization")) == 13
    assert len(many) == len(few)


def test_a_long_list_is_cut_and_counted(place: Place) -> None:
    space = place.organization.workspaces.get()
    Connector.objects.bulk_create(
        [
            Connector(
                workspace=space, provider="demo", name=f"More {number}", status=ConnectorStatus.NEEDS_REAUTHORIZATION
            )
            for number in range(59)
        ]
    )
    document = read(own_scope(place))
    (group,) = (
        g for s in document.sections if s.key == "connectors" for g in s.groups if g.key == "needs_authorization"
    )
    assert (len(group.lines), group.left_out) == (50, 10)
    assert "10 more" in [table.more for chapter in chapters_of(document) for table in chapter.tables]


def test_the_command_makes_a_revision_and_says_what_changed(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    Organization.objects.filter(pk=place.organization.pk).update(created_at=NOON)
    with at(NOON):
        schedules_prepare()
    with at(MORNING_AFTER):
        made = daily_report_make(console_context(), place.organization.report_schedule.pk)
        assert made is not None
        Connector.objects.filter(name="Locked out").delete()
        call_command("revise_report", "2026-11-02", organization=place.organization.pk, reason="It was removed")
    told = capsys.readouterr().out
    assert (
        "Waiting for a person to authorize them again: One, Locked out: 1 (The provider no longer lets us in.) !"
        in told
    )
    assert "Revision 2 of 2026-11-02: 1 figures changed." in told
    reports = DailyReport.objects.filter(organization=place.organization).order_by("revision")
    assert [read_document(report.document).day for report in reports] == [DAY, DAY]
    assert (
        figures(read_document(reports[0].document), "credits", "standing")["Balance at the end of the day"]
        == 100 * MICRO
    )
