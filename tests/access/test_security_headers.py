"""Every answer to every route carries the headers that fit it, whoever asks and however it ends (spec 11)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from apps.core.wire.security_headers import POLICY_OF_DATA
from apps.tenants.models import Workspace
from billing_site.launcher import places
from tests.access.routes import all_routes
from tests.access.world import World, make_world
from tests.backoffice.records import MAKERS

CALLERS = ("anonymous", "tenant owner", "staff platform_admin", "product token")
METHODS = ("GET", "POST")
# Texts that hold no page, for paths of every sort that lead nowhere.
NOWHERE = (
    "/no-such-page",
    "/admin/no-such-page/",
    "/billing/no-such-workspace/credits/",
    "/api/v1/internal/no-such-thing",
    "/webhooks/nobody",
    "/static/no-such-file.css",
    "/billing",
    "/\x00",
    "//evil.example/",
    "/static/../../etc/passwd",
)
_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")


def faults_of(answer: Any, path: str) -> list[str]:
    """What the answer lacks."""
    headers = answer.headers
    policy = headers.get("Content-Security-Policy", "")
    is_page = headers.get("Content-Type", "").startswith("text/html")
    has_file = path.startswith("/static/") and answer.status_code < 400
    wrong = {
        "nosniff": headers.get("X-Content-Type-Options") != "nosniff",
        "referrer": headers.get("Referrer-Policy") != "same-origin",
        "frame": headers.get("X-Frame-Options") != "DENY",
        "policy": (policy != POLICY_OF_DATA) if not is_page else "default-src 'self'" not in policy,
        "frame-ancestors": "frame-ancestors 'none'" not in policy,
        "inline script": "script-src 'unsafe-inline'" in policy
        or ("unsafe" in policy and not path.startswith("/admin/")),
        "no-store": ("no-store" not in headers.get("Cache-Control", "")) and not has_file,
        "robots": headers.get("X-Robots-Tag") != "noindex, nofollow",
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


@pytest.fixture(scope="module")
def stage(lasting_db: None) -> World:
    world = make_world()
    for make in MAKERS.values():
        make()
    return world


def paths(world: World) -> Iterator[str]:
    """Each route's path, once with arguments of the callers' own tenant where it names one."""
    own = world.tenants["own"]
    slug = Workspace.objects.get(pk=own.workspace_id).slug
    known = {"workspace_slug": slug, "name": "drain-outbox", "product": "red", "account_type": "organization"}
    known |= {name: str(getattr(own, name)) for name in own.__slots__}
    known["account_id"] = known["organization_id"]
    for route in all_routes():
        yield "/" + _ARGUMENT.sub(lambda match: known.get(match[2], str(uuid.uuid4())), route.pattern)


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_answers_every_method_with_its_headers(world: World, caller: str) -> None:
    client, sent = world.client(caller)
    wrong, statuses = [], set()
    for path in paths(world):
        for method in METHODS:
            with transaction.atomic():
                answer: Any = client.generic(method, path, "{}", content_type="application/json", headers=sent)
                transaction.set_rollback(True)
            statuses.add(answer.status_code)
            wrong += [f"{method} {path} {answer.status_code}: {fault}" for fault in faults_of(answer, path)]
            if path == "/admin/logout/":
                # What signs out ends the session; the next answer is to be somebody's again.
                client, sent = world.client(caller)
    assert wrong == []
    assert {404, 405} <= statuses
    assert statuses & ({401, 302} if caller in {"anonymous", "product token"} else {200})


@pytest.mark.parametrize("caller", ["anonymous", "staff platform_admin", "tenant owner"])
@pytest.mark.parametrize("path", NOWHERE)
def test_what_leads_nowhere_has_them_too(world: World, caller: str, path: str) -> None:
    client, sent = world.client(caller)
    answer = client.get(path, headers=sent)
    assert faults_of(answer, path) == []


@pytest.mark.parametrize(
    "path", ["/admin/login/", "/sign-in/", "/api/v1/internal/credits:consume", "/healthz", "/static/x"]
)
def test_a_host_that_is_not_ours_gets_them(db: None, path: str) -> None:
    answer = Client().get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400 or path == "/healthz"
    assert faults_of(answer, path) == []


@pytest.mark.parametrize("path", ["/sign-in/", "/admin/login/", "/api/v1/internal/credits:consume", "/webhooks/stripe"])
def test_an_error_of_ours_has_them(db: None, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    client = Client(raise_request_exception=False)
    monkeypatch.setattr("apps.core.wire.hot_path.HotPathMiddleware.__call__", fail)
    answer = client.post(path)
    assert answer.status_code == 500
    assert faults_of(answer, path) == []


def test_the_way_to_https_has_them(db: None, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/sign-in/")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/sign-in/")
    assert faults_of(answer, "/sign-in/") == []


def test_a_form_without_its_token_is_refused_with_them(world: World) -> None:
    for path in ("/sign-in/", "/admin/login/", "/admin/password/"):
        client = Client(enforce_csrf_checks=True)
        client.force_login(world.users["staff platform_admin"], backend="django.contrib.auth.backends.ModelBackend")
        answer = client.post(path)
        assert answer.status_code in {302, 403}
        assert faults_of(answer, path) == []


def test_a_static_file_may_be_stored_and_has_the_rest(db: None) -> None:
    assert not settings.STATIC_ROOT.is_relative_to(places.state_folder())  # where servers of other tests have theirs
    with (settings.STATIC_ROOT / "probe.txt").open("w") as file:
        file.write("probe")
    client = Client()
    # WhiteNoise looks for files when it starts.
    client.handler.load_middleware()
    answer: Any = client.get("/static/probe.txt")
    assert answer.status_code == 200
    assert "no-store" not in answer.headers["Cache-Control"]
    assert faults_of(answer, "/static/probe.txt") == []
    # Read to its end it is closed; closing it by hand would close the database's connection too.
    assert b"".join(answer.streaming_content) == b"probe"


def test_a_missing_header_would_be_noticed(world: World, settings: Settings) -> None:
    """The negative control: the same walk without the middleware."""
    settings.MIDDLEWARE = settings.MIDDLEWARE[1:]
    client, sent = world.client("tenant owner")
    lacking = {fault: path for path in paths(world) for fault in faults_of(client.get(path, headers=sent), path)}
    assert {"policy", "no-store", "robots"} <= set(lacking)
