"""Billing records on their page and as CSV: filters, totals of each currency, formulas made harmless (spec 06, 11)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.connectors.models import BillingRecord, Connector
from apps.connectors.selectors import records
from apps.connectors.selectors.records import RecordFilter, currency_totals, stream_records
from apps.core.enums import MembershipRole
from apps.core.exports import harmless
from apps.core.ids import WorkspaceId
from tests.connectors.cast import make_active_workspace, make_connector
from tests.factories.tenants import make_membership, make_signing_in_user

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ROWS = [("a", "EUR", 1_250), ("b", "EUR", -250), ("c", "JPY", 900), ("d", "KWD", 1_500), ("e", "", None)]


@pytest.fixture
def connector(db: None) -> Connector:
    return make_connector(make_active_workspace())


def fill(connector: Connector) -> None:
    BillingRecord.objects.bulk_create(
        BillingRecord(
            connector=connector,
            external_id=name,
            month="2026-03",
            kind="cost",
            category="regular",
            description=f"=cmd|{name}",
            occurred_at=AT,
            amount_minor=amount,
            currency=currency,
            raw={},
            digest=b"",
            seen_by=connector.pk,
            first_seen_at=AT,
            changed_at=AT,
        )
        for name, currency, amount in ROWS
    )
    BillingRecord.objects.filter(external_id="b").update(voided_at=AT)


def filter_of(connector: Connector, **wanted: object) -> RecordFilter:
    return RecordFilter(WorkspaceId(connector.workspace_id), **wanted)  # type: ignore[arg-type]


def test_each_currency_is_added_up_by_itself_and_the_voided_count_for_nothing(connector: Connector) -> None:
    fill(connector)
    found = {total.currency: total.amount_minor for total in currency_totals(filter_of(connector, with_voided=True))}
    assert found == {"EUR": 1_250, "JPY": 900, "KWD": 1_500}


def test_the_stream_has_each_record_once_whatever_its_parts(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connector)
    for chunk in (1, 2, 3, 100):
        monkeypatch.setattr(records, "_CHUNK", chunk)
        found = [record.external_id for record in stream_records(filter_of(connector))]
        assert found == ["e", "d", "c", "a"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1"])  # noqa: RUF001 - wide
def test_what_a_spreadsheet_takes_for_a_formula_is_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_a_viewer_reads_the_page_and_the_csv_and_a_stranger_nothing(connector: Connector) -> None:
    fill(connector)
    slug = connector.workspace.slug
    viewer, stranger = make_signing_in_user(), make_signing_in_user()
    make_membership(connector.workspace.organization, viewer, MembershipRole.VIEWER)
    client = Client()
    client.force_login(viewer)
    page = client.get(reverse("billing-records", args=[slug]), {"month": "2026-03", "currency": "eur"}).content.decode()
    assert "12.50 EUR" in page
    assert "900 JPY" not in page
    answer = client.get(reverse("billing-records-csv", args=[slug]), {"voided": "1"})
    lines = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]
    assert [(line["external_id"], line["amount"], line["description"]) for line in lines] == [
        ("e", "", "'=cmd|e"),
        ("d", "1.500", "'=cmd|d"),
        ("c", "900", "'=cmd|c"),
        ("b", "-2.50", "'=cmd|b"),
        ("a", "12.50", "'=cmd|a"),
    ]
    client.force_login(stranger)
    assert client.get(reverse("billing-records-csv", args=[slug])).status_code == 404


def test_the_pages_ask_no_more_with_more_records(connector: Connector) -> None:
    viewer = make_signing_in_user()
    make_membership(connector.workspace.organization, viewer, MembershipRole.VIEWER)
    client = Client()
    client.force_login(viewer)
    path = reverse("billing-records", args=[connector.workspace.slug])
    fill(connector)
    counts = []
    for _ in range(2):
        client.get(path)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(path)
        counts.append(len(queries))
        BillingRecord.objects.update(month="2026-02")
        make_connector(connector.workspace)
    assert counts[0] == counts[1]


def test_a_viewer_sees_no_button_and_gets_403(connector: Connector) -> None:
    viewer = make_signing_in_user()
    make_membership(connector.workspace.organization, viewer, MembershipRole.VIEWER)
    client = Client()
    client.force_login(viewer)
    slug = connector.workspace.slug
    for name, arguments in (
        ("billing-connectors", [slug]),
        ("billing-connector", [slug, connector.pk]),
        ("billing-automation", [slug]),
    ):
        page = client.get(reverse(name, args=arguments)).content.decode()
        content = page.partition('<main id="content"')[2]
        assert "<button" not in content, name
        assert "connectors/new/" not in content
    refused = client.post(reverse("billing-connector-sync", args=[slug, connector.pk]), {"month": "auto"})
    assert refused.status_code == 403
    assert not connector.sync_runs.exists()


@pytest.mark.parametrize("name", ["billing-records", "billing-records-csv"])
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"month": "2026-13"}, "There is no such month."),
        ({"month": "March"}, "There is no such month."),
        ({"currency": "euro"}, "There is no such currency."),
        ({"currency": "XXX"}, "There is no such currency."),
        ({"kind": "gift"}, "Choose one of the kinds in the list."),
        ({"connector": "7"}, "Choose one of the connectors in the list."),
    ],
)
def test_a_filter_that_can_not_be_is_refused_on_the_page_and_for_the_file(
    connector: Connector, name: str, query: dict[str, str], sentence: str
) -> None:
    fill(connector)
    viewer = make_signing_in_user()
    make_membership(connector.workspace.organization, viewer, MembershipRole.VIEWER)
    client = Client()
    client.force_login(viewer)
    answer = client.get(reverse(name, args=[connector.workspace.slug]), query)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in text
    assert "Nothing is shown:" in text
    assert "12.50 EUR" not in text
