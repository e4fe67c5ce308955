"""No form changes records: nothing posted to a list or a page has an effect (spec 10, principle 10)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import helpers
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from apps.backoffice.registry import PAGES, registered_pages
from apps.backoffice.staff_admin import StaffAdmin
from apps.core.enums import Role
from tests.backoffice.people import client_of
from tests.backoffice.records import MAKERS

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def snapshot(model: type[Model]) -> list[dict[str, Any]]:
    return list(model._default_manager.order_by("pk").values())


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_posts_to_the_old_addresses_change_nothing(client: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    meta = model._meta
    base = f"/admin/{meta.app_label}/{meta.model_name}/"
    before = snapshot(model)
    fields = {field.name: "changed" for field in meta.fields}
    bulk = {"action": "delete_selected", helpers.ACTION_CHECKBOX_NAME: [str(record.pk)], "post": "yes"}
    statuses = {
        "list": client.post(base, bulk).status_code,
        "page": client.post(f"{base}{record.pk}/", fields).status_code,
        "add": client.post(f"{base}add/", fields).status_code,
        "change": client.post(f"{base}{record.pk}/change/", fields).status_code,
        "delete": client.post(f"{base}{record.pk}/delete/", {"post": "yes"}).status_code,
        "history": client.get(f"{base}{record.pk}/history/").status_code,
    }
    assert statuses == {"list": 405, "page": 405, "add": 404, "change": 404, "delete": 404, "history": 404}
    assert snapshot(model) == before


@pytest.mark.parametrize("page", registered_pages(), ids=lambda page: page.heading)
def test_add_change_and_delete_have_no_address_and_no_permission(page: StaffAdmin[Any]) -> None:
    for verb in ("add", "delete", "history"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{page.route_prefix}_{verb}")


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_looking_writes_nothing(client: Client, model: type[Model]) -> None:
    """Opening a list, a page or a dialog is a GET, which must not change anything."""
    record = MAKERS[model]()
    page = next(page for page in registered_pages() if page.model is model)
    urls = [
        reverse(f"admin:{page.route_prefix}_changelist"),
        reverse(f"admin:{page.route_prefix}_change", args=(record.pk,)),
        *(reverse(f"admin:{page.route_prefix}_{verb.name}", args=(record.pk,)) for verb in page.verbs),
    ]
    for url in urls:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(url).status_code == 200
        assert [query["sql"] for query in queries if query["sql"].lstrip().upper().startswith(WRITES)] == []
