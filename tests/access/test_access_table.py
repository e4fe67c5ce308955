"""Every role x tenant relation x route x method of the internal API answers as declared (spec 11, P4)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.tenants import resolver
from apps.tenants.contracts import AccessFacts, Person
from apps.tenants.resolver import Denial
from tests.access.cells import PAGES, PAIRS, ROUTES, STAFF_ROUTES, api_cells, cell_counts, page_cells, staff_cells
from tests.access.outcomes import DELETE_BODIES, expected
from tests.access.routes import METHODS, Route, undeclared
from tests.access.world import PRINCIPALS, World, request_of

Clients = dict[str, tuple[Client, dict[str, str]]]


@pytest.fixture(scope="module")
def clients(stage: World) -> Clients:
    """A client builds all middleware before its first request: once each."""
    return {principal: stage.client(principal) for principal in PRINCIPALS}


def ask(world: World, clients: Clients, route: Route, method: str, principal: str, relation: str) -> HttpResponse:
    """The cell's answer; whatever it changed is undone."""
    client, headers = clients[principal]
    arguments, body = request_of(route.name, world.tenants[relation], world)
    if method == "DELETE":
        body = DELETE_BODIES.get(route.name, {})
    undoing = transaction.atomic()
    # As the test's own transaction: services that insist on committing themselves take it for none.
    undoing._from_testcase = True  # type: ignore[attr-defined]
    with undoing:
        answer = _send(client, method, reverse(route.name, kwargs=arguments), body, headers)
        transaction.set_rollback(True)
    return answer


def _send(client: Client, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> HttpResponse:
    has_body = method in {"POST", "PUT", "PATCH"} or (method == "DELETE" and bool(body))
    answer: Any = client.generic(
        method,
        path,
        json.dumps(body) if has_body else "",
        content_type="application/json" if has_body else "",
        headers=headers,
    )
    return answer  # type: ignore[no-any-return]


@pytest.mark.prove("P4 each cell of the internal API answers as declared", size=cell_counts()["internal API"][0])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_cell_answers_as_declared(world: World, clients: Clients, route: Route, method: str) -> None:
    wrong = []
    for principal, relation in api_cells(route, method):
        answer = ask(world, clients, route, method, principal, relation)
        allowed = expected(route.name, method, principal, relation)
        if answer.status_code not in allowed:
            wrong.append(f"{principal} / {relation}: {answer.status_code}, not {allowed}: {answer.content[:300]!r}")
        # HEAD has no body to carry it.
        if answer.status_code == 403 and method != "HEAD" and not json.loads(answer.content).get("explanation"):
            wrong.append(f"{principal} / {relation}: 403 without an explanation: {answer.content[:300]!r}")
    assert wrong == []


@pytest.mark.parametrize("is_served", [True, False])
@pytest.mark.parametrize(("routes", "cells"), [(ROUTES, api_cells), (PAGES, page_cells)], ids=["API", "pages"])
def test_every_caller_and_relation_has_its_turn(
    routes: list[Route], cells: Callable[[Route, str], list[tuple[str, str]]], is_served: bool
) -> None:
    asked = [
        pair
        for route, method in itertools.product(routes, METHODS)
        if (method in route.operations) is is_served
        for pair in cells(route, method)
    ]
    assert set(asked) == set(PAIRS)


@pytest.mark.parametrize("method", METHODS)
def test_every_caller_has_its_turn_at_the_staff_plane(method: str) -> None:
    assert {principal for name in STAFF_ROUTES for principal in staff_cells(name, method)} == set(PRINCIPALS)


def test_every_route_of_the_api_is_declared() -> None:
    assert undeclared(ROUTES) == []
    assert len(ROUTES) >= 8


def test_a_route_added_without_a_declaration_is_found() -> None:
    added = Route("api/v1/internal/secrets", "secrets", ROUTES[0].callback)
    assert undeclared([*ROUTES, added]) == ["secrets"]


def differences(world: World, clients: Clients) -> Iterator[str]:
    """The routes that tell a person a foreign object from an absent one."""
    for route in ROUTES:
        for method, principal in itertools.product(route.operations, ("signed-in stranger", "tenant owner")):
            foreign, absent = (
                _comparable(ask(world, clients, route, method, principal, relation))
                for relation in ("foreign", "absent")
            )
            if foreign != absent:
                yield f"{route.name} {method} {principal}"


def _comparable(answer: HttpResponse) -> tuple[int, dict[str, Any]]:
    document = json.loads(answer.content) if answer.content else {}
    document.pop("request_id", None)
    return answer.status_code, document


def test_a_foreign_object_answers_a_person_exactly_as_an_absent_one(world: World, clients: Clients) -> None:
    assert list(differences(world, clients)) == []


def test_an_answer_that_names_the_foreign_object_is_found(
    world: World, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(facts: AccessFacts, person: Person) -> Denial:
        name = facts.tenant.organization_id if facts.tenant else ""
        return Denial("not_found", f"{name} is not yours", ())

    monkeypatch.setattr(resolver, "_resolve_job_starter", leaky)
    assert next(differences(world, clients), None) is not None
