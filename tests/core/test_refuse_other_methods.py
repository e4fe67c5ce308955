"""The address of a form, opened in a browser, is answered by a page that says so, not by an empty one."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.access.world import make_world
from tests.markup import Page

pytestmark = pytest.mark.django_db


def test_a_person_is_told_what_to_do() -> None:
    client, _ = make_world().client("staff platform_admin")
    answer = client.get("/admin/logout/")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "Open the page with the form, and send it from there." in Page(answer.content.decode()).text


def test_a_program_is_told_in_its_own_form() -> None:
    assert Client().post("/healthz").content == b""
    answer = Client().get("/api/v1/internal/users:upsert")
    assert answer.headers["Content-Type"] == "application/problem+json"
