"""Every role x tenant relation x billing page x method answers as declared; the invisible like the absent (P4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import time_machine
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse

from apps.core.models import AuditEntry
from apps.core.operations import OPERATIONS
from apps.tenants import resolver
from apps.tenants.contracts import AccessFacts, Person
from apps.tenants.models import Organization, Workspace
from apps.tenants.pages import BillingPage
from apps.tenants.resolver import Denial
from tests.access.cells import PAGES, cell_counts, page_cells
from tests.access.pages import BODIES, DECLARED_PAGES, PREFIX, more_in_address
from tests.access.routes import METHODS, Route
from tests.access.world import MEMBERS, PRINCIPALS, STAFF, World

LADDER = ("viewer", "member", "admin", "owner")
PATTERNS = {route.name: route.pattern for route in PAGES}
REQUEST_ID = "the-same-request"


def role_of(principal: str, relation: str) -> str | None:
    """Spec 02 a second time: membership, then the demo rule, then staff read-only, then nothing."""
    if relation == "own" and principal in MEMBERS:
        return principal.removeprefix("tenant ")
    if relation == "demo":
        return "admin" if principal in STAFF else "viewer"
    return "viewer" if principal in STAFF and relation != "absent" else None


def is_signed_in(principal: str) -> bool:
    return principal != "anonymous" and "token" not in principal


def expected(route: str, method: str, principal: str, relation: str) -> int:
    declared = DECLARED_PAGES[route].get("GET" if method == "HEAD" else method)
    if declared is None:
        return 405
    if not is_signed_in(principal):
        return 302
    role = role_of(principal, relation)
    if role is None:
        return 404
    return declared[2] if LADDER.index(role) >= LADDER.index(declared[1]) else 403


class Cast:
    """Every principal at a browser, signed in once, and the slug of each relation's workspace."""

    def __init__(self, world: World) -> None:
        self._clients = {principal: world.client(principal) for principal in PRINCIPALS}
        slugs = dict(Workspace.objects.values_list("pk", "slug"))
        self._tenants = world.tenants
        self._slugs = {name: slugs.get(tenant.workspace_id, "no-such") for name, tenant in world.tenants.items()}

    def ask(self, route: str, method: str, principal: str, relation: str) -> HttpResponse:
        client, headers = self._clients[principal]
        sent = {**headers, "X-Request-ID": REQUEST_ID}
        more = more_in_address(PATTERNS[route], self._tenants[relation])
        path = reverse(route, args=[self._slugs[relation], *more])
        if method == "POST":
            return cast("HttpResponse", client.post(path, BODIES.get(route, {}), headers=sent))
        return cast("HttpResponse", client.generic(method, path, headers=sent))


@pytest.fixture(scope="module")
def cast_of_module(stage: World) -> Cast:
    return Cast(stage)


@pytest.fixture
def people(cast_of_module: Cast, db: None) -> Cast:
    return cast_of_module


def truth() -> list[Any]:
    return [*Organization.objects.order_by("pk").values_list("pk", "time_zone"), AuditEntry.objects.count()]


@pytest.mark.prove("P4 each cell of the billing pages answers as declared", size=cell_counts()["billing pages"][0])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
def test_every_cell_answers_as_declared_and_a_refusal_changes_nothing(people: Cast, route: Route, method: str) -> None:
    wrong, before = [], truth()
    for principal, relation in page_cells(route, method):
        with transaction.atomic():
            answer = people.ask(route.name, method, principal, relation)
            may_change = method == "POST" and is_signed_in(principal) and answer.status_code == 302
            if not may_change and truth() != before:
                wrong.append(f"{principal} / {relation}: changed something with {answer.status_code}")
            transaction.set_rollback(True)
        wanted = expected(route.name, method, principal, relation)
        if answer.status_code != wanted:
            wrong.append(f"{principal} / {relation}: {answer.status_code}, not {wanted}")
        if not is_signed_in(principal) and wanted == 302 and not answer.headers["Location"].startswith("/sign-in/"):
            wrong.append(f"{principal} / {relation}: sent to {answer.headers['Location']}")
        is_kept = "no-store" not in answer.headers["Cache-Control"]
        if is_kept or answer.headers["X-Robots-Tag"] != "noindex, nofollow":
            wrong.append(f"{principal} / {relation}: may be kept or listed")
    assert wrong == []


def undeclared(routes: list[Route]) -> list[str]:
    found = []
    for route in routes:
        view = getattr(route.callback, "view_class", None)
        declared = {method: cell[0] for method, cell in DECLARED_PAGES.get(route.name, {}).items()}
        is_page = isinstance(view, type) and issubclass(view, BillingPage)
        if not is_page or not declared or declared != route.operations or set(declared.values()) - set(OPERATIONS):
            found.append(route.name)
    return found


def test_every_page_of_a_workspace_is_declared() -> None:
    assert undeclared(PAGES) == []
    assert len(PAGES) >= 2


def test_a_page_without_a_declaration_or_without_the_base_is_found() -> None:
    assert undeclared([Route(PREFIX + "x/", "x", PAGES[0].callback)]) == ["x"]
    assert undeclared([Route(PREFIX, "billing-workspace", lambda request: None)]) == ["billing-workspace"]


def tells_apart(people: Cast) -> Iterator[str]:
    """The cells in which a person can tell a foreign workspace from one that is not there, byte by byte."""
    for route, principal in itertools.product(
        PAGES, ("signed-in stranger", "tenant owner", "staff without second factor")
    ):
        for method in (*route.operations, "HEAD", "DELETE"):
            foreign, absent = (people.ask(route.name, method, principal, name) for name in ("foreign", "absent"))
            if (foreign.content, dict(foreign.headers)) != (absent.content, dict(absent.headers)):
                yield f"{route.name} {method} {principal}"


@time_machine.travel(datetime(2026, 4, 3, 12, tzinfo=UTC), tick=False)
def test_a_foreign_workspace_answers_byte_for_byte_as_an_absent_one(people: Cast) -> None:
    assert list(tells_apart(people)) == []


def test_an_answer_that_names_the_foreign_workspace_is_found(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(facts: AccessFacts, person: Person) -> Denial:
        return Denial("not_found", f"{facts.tenant.organization_id if facts.tenant else ''} is not yours", ())

    monkeypatch.setattr(resolver, "_resolve_member", leaky)
    assert next(tells_apart(people), None) is not None
