"""Outside of DRF, programs get problem documents and people get plain pages that say what helps (spec 08)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from apps.core import errors
from apps.core.pages import find_way_on, page_of
from apps.core.wire import problems
from billing_site import urls
from tests.markup import Page

FAILURES: dict[str, tuple[Exception, int]] = {
    "absent": (Http404("secret"), 404),
    "invisible": (errors.NotFoundError("There is nothing at this address, or it is not visible to you."), 404),
    "denied": (PermissionDenied("secret"), 403),
    "forbidden": (errors.ForbiddenError("You are a viewer.", explanation=[errors.Reason("role", "deny", "x")]), 403),
    "conflict": (errors.ConflictError("It has ended."), 409),
    "odd": (SuspiciousOperation("secret"), 400),
    "down": (OperationalError("secret"), 503),
    "broken": (ZeroDivisionError("secret"), 500),
}


def fail(request: HttpRequest, name: str) -> HttpResponse:
    raise FAILURES[name][0]


@pytest.fixture
def client(settings: Settings) -> Client:
    """A client of the real URLs and two routes that fail; it sees what a browser would, not the exception."""
    routes = ModuleType("routes")
    vars(routes).update(vars(urls))
    vars(routes)["urlpatterns"] = [
        path("pages/<str:name>", fail),
        path("api/<str:name>", fail),
        *urls.urlpatterns,
    ]
    settings.ROOT_URLCONF = routes
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("name", FAILURES)
def test_a_page_shows_a_person_what_happened(client: Client, name: str) -> None:
    response: Any = client.get(f"/pages/{name}")
    text = response.content.decode()
    assert response.status_code == FAILURES[name][1]
    assert response["Content-Type"].startswith("text/html")
    assert "<h1>" in text
    assert "secret" not in text
    assert response["X-Request-ID"] in text
    assert not any(inline in text for inline in ("<script", "<style", "style=", "onclick"))


@pytest.mark.parametrize(
    ("address", "label"),
    [("/admin/x/", "Staff home"), ("/billing/x/", "Your workspaces"), ("/no-such-page", "Start page")],
)
def test_a_page_leads_on_to_where_its_reader_belongs(db: None, address: str, label: str) -> None:
    found, way_on = find_way_on(address)
    assert found == label
    assert Client().get(way_on).status_code in {200, 302}
    page = Page(page_of(problems.NOT_FOUND, address).content.decode())
    assert way_on in page.links()
    assert ("ask whether you have been invited" in page.text) == (label != "Staff home")


@pytest.mark.parametrize("name", FAILURES)
def test_a_program_gets_a_problem_document(client: Client, name: str) -> None:
    response: Any = client.get(f"/api/{name}")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code == FAILURES[name][1]
    assert "secret" not in response.content.decode()


def test_an_unknown_path_is_not_found_in_either_form(client: Client) -> None:
    assert client.get("/no/such/page")["Content-Type"].startswith("text/html")
    response = client.get("/api/v1/internal/no-such-thing")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_host_that_is_not_ours_is_refused_in_our_form(client: Client) -> None:
    response = client.get("/api/v1/docs/", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


def test_a_broken_template_does_not_hide_the_error(client: Client, settings: Settings) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [], "APP_DIRS": False}]
    response = client.get("/pages/forbidden")
    assert (response.status_code, response["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert "You are a viewer." in response.content.decode()


def test_a_form_without_its_token_gets_a_page_that_helps() -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert response.status_code == 403
    assert "reload the page" in response.content.decode()
