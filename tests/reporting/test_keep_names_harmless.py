"""What customers name stays text in mail, page, CSV and workbook alike (spec 07; spec 11, Security baseline)."""

from __future__ import annotations

import csv
import io
from html import unescape
from typing import Any

import openpyxl
import pytest
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.credits.services import credits_consume
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization, Product
from tests.contexts import console_context
from tests.credits.cast import consumption
from tests.reporting.lives import at
from tests.reporting.mailboxes import DAY, MORNING, NOON, House, drain

pytestmark = pytest.mark.django_db
NAMES = (
    '=HYPERLINK("http://evil.example","pay")',
    "+1-800@SUM(A1)",
    'He said "no", <b>twice</b>',
    "One\r\nBcc: all@evil.example\nRevenue: 0",
    "\u202egnp.exe\u200f \u05d7\u05e9\u05d1\u05d5\u05df",
    "{{ 7 }} {% now %} %s",
)
UNSEEN = {"\u202e", "\u200f"}


def download(house: House, ending: str) -> bytes:
    address = reverse(f"billing-daily-reports-{ending}", args=[house.space.slug])
    with at(NOON):
        answer: Any = house.client.get(address, {"day": str(DAY)})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_harms_no_rendering(house: House, sent: list[EmailMultiAlternatives], name: str) -> None:
    house.add("admin@house.example")
    with at(NOON):
        asked = consumption(house.place, operation="unit", quantity=MICRO, occurred_at=NOON)
        credits_consume(house.place.context, consumption=asked)
    Product.objects.filter(pk=house.place.product.pk).update(name=name)
    Organization.objects.filter(pk=house.organization.pk).update(name=name)
    with at(MORNING):
        rollups_refresh(console_context())
    house.make_report()
    drain()
    (mail,) = sent
    lines = str(mail.body).splitlines()
    assert len(mail.subject.splitlines()) == 1
    assert not any(line.startswith(("Bcc:", "Revenue:")) for line in lines)
    with at(NOON):
        page = house.client.get(reverse("billing-daily-reports", args=[house.space.slug])).content.decode()
    html = str(mail.alternatives[0][0])
    document = page[page.index('id="report-credits"') :]
    for text in (mail.subject, str(mail.body), html, document):
        assert not set(text) & UNSEEN
    for text in (html, document):
        assert "<b>twice" not in text
        assert "{{ 7 }}" not in name or name in unescape(text)
    rows = list(csv.DictReader(io.StringIO(download(house, "csv").decode("utf-8-sig"), newline="")))
    (line,) = (row for row in rows if row["line"].endswith(", unit") and not row["compared_with"])
    assert (line["value"], line["unit"]) == ("1", "credits")
    assert not line["line"].startswith(("=", "+"))
    book = openpyxl.load_workbook(io.BytesIO(download(house, "xlsx")))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not any(set(str(cell.value)) & UNSEEN or cell.hyperlink for cell in cells)
