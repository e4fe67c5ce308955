"""A file of balances by the staff pages: uploaded, checked, started, followed to its end (spec 02, Cutover)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.credits.models import BalanceImport, CreditEntry
from apps.credits.services.balance_booking import balance_import_execute
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.credits.cast import Place, make_place

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = "account_type,account_id,balance,external_ref"


@pytest.fixture
def place() -> Place:
    return make_place("red")


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def upload(client: Client, place: Place, content: str, **more: str) -> Any:
    file = SimpleUploadedFile("balances.csv", content.encode(), content_type="text/csv")
    url = reverse("admin:tenants_product_import_balances", args=(place.product.pk,))
    return client.post(url, {"file": file, "reason": "the cutover", **more})


@pytest.mark.slow
def test_an_upload_is_checked_started_and_followed(client: Client, place: Place) -> None:
    answer = upload(client, place, f"{HEAD}\norganization,{place.organization.pk},12.5,w1\n")
    record = BalanceImport.objects.get()
    page_url = reverse("admin:credits_balanceimport_change", args=(record.pk,))
    assert (answer.status_code, answer["Location"], record.status) == (302, page_url, "checked")
    page = client.get(page_url).content.decode()
    assert "Booked by this file" in page
    assert "12.5" in page
    assert not CreditEntry.objects.exists()
    started = client.post(f"{page_url}start/", {"reason": "go", "step": "apply"})
    assert started.status_code == 302
    live = client.get(page_url)
    assert 'hx-trigger="every 2s"' in live.content.decode()
    assert "HX-Refresh" not in live
    balance_import_execute(console_context(), record.pk)
    over = client.get(page_url, headers={"HX-Request": "true"})
    assert over["HX-Refresh"] == "true"
    assert "1 of 1 lines" in over.content.decode()
    assert place.account.balance == 12_500_000
    changed = upload(client, place, f"{HEAD}\norganization,{place.organization.pk},13,w1\n").content.decode()
    assert "was imported with 12.5, and is 13 now." in changed.replace("&#x27;", "'")
    assert "Nothing was imported: 1 fault" in changed
    upload(client, place, f"{HEAD}\norganization,{place.organization.pk},13,w1\n", is_update="on")
    assert BalanceImport.objects.filter(status="checked").get().totals["booked"] == MICRO // 2


def test_a_file_with_faults_leaves_nothing_and_names_its_lines(client: Client, place: Place) -> None:
    page = upload(client, place, f"{HEAD}\norganization,<script>,1,w1\n").content.decode()
    assert 'data-label="Line">2<' in page
    assert "account_id is &#x27;&lt;script&gt;&#x27;" in page
    assert not BalanceImport.objects.exists()
    assert "This field is required" in upload(client, place, f"{HEAD}\n", reason="").content.decode()
