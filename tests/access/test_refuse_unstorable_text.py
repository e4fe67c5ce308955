"""Text that PostgreSQL can't hold is answered 400, in whatever part of a request to whatever route; nothing changes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.urls import reverse

from apps.backoffice.registry import registered_pages
from apps.core.models import AuditEntry
from apps.core.pages import PROGRAM_PATHS
from apps.tenants.models import User, Workspace
from tests.access.pages import PREFIX, more_in_address
from tests.access.routes import API, Route, all_routes, api_routes
from tests.access.test_access_table import Clients
from tests.access.test_staff_plane import GUARDED, arguments_of, make_records
from tests.access.world import PRINCIPALS, World, request_of
from tests.sizes import size

pytestmark = pytest.mark.django_db

Item = TypeVar("Item")

NUL = "a\x00b"
# Of the names and forms that an address is asked for, so many; the next address has the next ones.
NAMES, FORMS = size(small=(2, 3), full=(1_000, 1_000))
BAD_FORMS = ({"reason": NUL}, {NUL: "x"}, {"username": NUL, "password": NUL}, {"next": "\x00/billing/"})
OPEN_FORMS = ("sign-in", "sign-out", "admin:login", "admin:second_factor", "admin:enrol", "admin:logout")


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """A live address of each route, and who may ask there."""
    records = make_records()
    tenant = world.tenants["own"]
    slug = Workspace.objects.get(pk=tenant.workspace_id).slug
    for name in GUARDED:
        yield reverse(f"admin:{name}", kwargs=arguments_of(name, records)), "staff platform_admin"
    for route in all_routes():
        if route.pattern.startswith(PREFIX):
            more = more_in_address(route.pattern, tenant)
            yield reverse(route.name, args=[slug, *more]), "tenant owner"
        elif route.pattern.startswith(API):
            yield reverse(route.name, kwargs=request_of(route.name, tenant, world)[0]), "product token"
        elif "<" not in route.pattern and "(" not in route.pattern:
            yield f"/{route.pattern}", "anonymous"


@pytest.fixture(scope="module")
def everywhere(stage: World) -> list[tuple[str, str]]:
    """The addresses, with the records behind them made once."""
    return list(addresses(stage))


@pytest.fixture(scope="module")
def clients(stage: World) -> Clients:
    """A client builds all middleware before its first request: once each."""
    return {principal: stage.client(principal) for principal in PRINCIPALS}


def in_turn(items: Sequence[Item], number: int, count: int) -> list[Item]:
    """So many of the items, others for the next number; all of them where there are no more."""
    start = number * count % len(items)
    return [*items[start:], *items[:start]][:count]


def query_names(address: str) -> set[str]:
    """What a list of the staff plane takes in its address; for the rest of the pages what any of them takes."""
    for page in registered_pages():
        if address == reverse(f"admin:{page.route_prefix}_changelist"):
            filters: Any = page.list_filter
            return {"q", "o", "p", *(name for declared in filters for name in declared.parameters)}
    return {"next", "q", "user", "at", "as_of", "since", "before", "month", "cursor", "state"}


def asked(client: Client, method: str, address: str, **parts: Any) -> int:
    return int(client.generic(method, address, **parts).status_code)


def kept() -> tuple[int, int]:
    return AuditEntry.objects.count(), User.objects.count()


@pytest.mark.prove("no route takes unstorable text in its address", size=NAMES)
def test_no_route_takes_it_in_the_address_the_query_a_header_or_a_cookie(
    clients: Clients, everywhere: list[tuple[str, str]], db: None
) -> None:
    assert len(everywhere) > 150
    before, wrong, count = kept(), [], 0
    for number, (address, principal) in enumerate(everywhere):
        client, headers = clients[principal]
        names = in_turn(sorted(query_names(address)), number, NAMES)
        cases: list[tuple[str, dict[str, Any]]] = [(f"{address}?{quote(name)}=x%00", {}) for name in names]
        cases += [
            (f"{address}?%00=x", {}),
            (address, {"headers": {**headers, "user-agent": NUL}}),
            (address, {"headers": {**headers, "x-made-up": "\ud800"}}),
            (f"{address}?x=1", {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=unicode_escape"}),
        ]
        # What refuses does not ask for the method; that it doesn't is shown by one case of each address.
        for method, (path, parts) in [*(("GET", case) for case in cases), ("POST", cases[0])]:
            count += 1
            status = asked(client, method, path, **{"headers": headers, **parts})
            if status not in {400, 415}:
                wrong.append((method, path, parts, status))
    assert wrong == []
    assert count > size(small=1_000, full=1_500)
    assert kept() == before


@pytest.mark.parametrize("name", [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "messages", "made-up"])
@pytest.mark.parametrize("address", ["/admin/", "/billing/", "/sign-in/", "/api/v1/schema/", "/healthz"])
def test_a_cookie_that_spells_it_in_octal_is_refused(name: str, address: str) -> None:
    client = Client(raise_request_exception=False)
    answer = client.get(address, headers={"cookie": f'{name}="abcdefgh\\000ijkl"'})
    assert answer.status_code == 400
    assert "NUL" in answer.content.decode()


@pytest.mark.parametrize(
    "address", ["/%00", "/billing/%00/", "/admin/tenants/user/%00/change/", "/api/v1/internal/%00"]
)
def test_an_address_that_holds_it_is_refused(address: str) -> None:
    assert Client(raise_request_exception=False).get(address).status_code == 400


@pytest.mark.prove("no form takes unstorable text", size=FORMS)
def test_no_form_takes_it_in_any_field(clients: Clients, everywhere: list[tuple[str, str]]) -> None:
    before, wrong, count = kept(), [], 0
    for number, (address, principal) in enumerate(everywhere):
        if address.startswith(PROGRAM_PATHS):
            continue
        client, headers = clients[principal]
        for form, is_multipart in in_turn(list(itertools.product(BAD_FORMS, (True, False))), number, FORMS):
            count += 1
            sent = form if is_multipart else "&".join(f"{quote(name)}={quote(form[name])}" for name in form)
            content_type = MULTIPART_CONTENT if is_multipart else "application/x-www-form-urlencoded"
            answer: Any = client.post(address, sent, content_type, headers=headers)
            if answer.status_code not in {400, 404}:
                wrong.append((address, form, answer.status_code))
    assert wrong == []
    assert count > size(small=400, full=800)
    assert kept() == before


def strings_replaced(body: Any, text: str) -> Iterator[Any]:
    """The body with one of its texts, or one of its names, replaced by another; each in turn."""
    if isinstance(body, str):
        yield text
    if isinstance(body, dict):
        for name, value in body.items():
            yield from ({**body, name: inner} for inner in strings_replaced(value, text))
            yield {**{key: inner for key, inner in body.items() if key != name}, text: value}
    if isinstance(body, list):
        for place, value in enumerate(body):
            yield from ([*body[:place], inner, *body[place + 1 :]] for inner in strings_replaced(value, text))


@pytest.mark.parametrize("text", ["\x00", "a\ud800", "\udc00b"], ids=ascii)
def test_no_body_of_the_api_takes_it_in_any_field(world: World, clients: Clients, text: str) -> None:
    before, wrong, count = kept(), [], 0
    for route in api_routes():
        arguments, body = request_of(route.name, world.tenants["own"], world)
        for method in set(route.operations) - {"GET", "DELETE"}:
            client, headers = clients["cron token" if route.name == "job-run" else "identity token"]
            for changed in strings_replaced(body, text):
                count += 1
                address, sent = reverse(route.name, kwargs=arguments), json.dumps(changed)
                answer = client.generic(method, address, sent, "application/json", headers=headers)
                if answer.status_code not in {400, 403, 404}:
                    wrong.append((route.name, changed, answer.status_code, answer.content))
    assert wrong == []
    assert count > 50
    assert kept() == before


@pytest.mark.parametrize("body", [b'{"id": "\\u0000"}', b'{"id": "\\ud800"}', b'{"\\u0000": 1}', b'{"id": "\x00"}'])
def test_a_webhook_with_it_is_answered(body: bytes) -> None:
    client = Client(raise_request_exception=False)
    for provider in ("stripe", "orb"):
        answer = client.generic("POST", f"/webhooks/{provider}", body, "application/json")
        assert answer.status_code == 401


def test_each_route_is_asked(world: World, everywhere: list[tuple[str, str]]) -> None:
    """A route that the addresses above leave out is one whose arguments stand in no table."""
    found = {address for address, _ in everywhere}
    left_out: list[Route] = [
        route
        for route in all_routes()
        if "<" not in route.pattern and "(" not in route.pattern and f"/{route.pattern}" not in found
    ]
    assert left_out == []
    assert {reverse(name) for name in OPEN_FORMS if name in {route.name for route in all_routes()}} <= found
