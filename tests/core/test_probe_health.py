"""The probes name what is wrong and how to mend it, and the metrics are not for the world (spec 08)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from apps.core import health


@pytest.fixture(autouse=True)
def _memory_broker() -> Iterator[None]:
    """A broker in memory, which always answers; the tests of its absence name a place where none listens."""
    before = current_app.conf.broker_write_url, current_app.conf.broker_url
    current_app.conf.broker_write_url = current_app.conf.broker_url = "memory://"
    yield
    current_app.conf.broker_write_url, current_app.conf.broker_url = before


def statuses(response: Any) -> dict[str, str]:
    return {check["name"]: check["status"] for check in response.json()["checks"]}


def assert_only_failed(response: Any, name: str) -> None:
    """503, this check failed with a remedy, and no other did."""
    assert response.status_code == 503
    assert [check for check, status in statuses(response).items() if status == "failed"] == [name]
    assert next(check for check in response.json()["checks"] if check["name"] == name)["remedy"]


def test_alive_needs_nothing() -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_ready_when_everything_answers() -> None:
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert statuses(response) == dict.fromkeys(
        ("database", "migrations", "broker", "credential_keys", "stored_credentials", "membership_export_keys"), "ok"
    )


@pytest.mark.django_db
def test_a_missing_migration_is_named() -> None:
    [(app, name)] = MigrationLoader(connection).graph.leaf_nodes("tenants")
    MigrationRecorder(connection).record_unapplied(app, name)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert statuses(response)["migrations"] == "failed"


@pytest.mark.django_db
def test_a_broker_that_does_not_answer_is_named() -> None:
    current_app.conf.broker_write_url = "redis://:hidden@127.0.0.1:1/0"
    response = Client().get("/readyz")
    assert_only_failed(response, "broker")
    assert "hidden" not in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("keys", [(), ("c2hvcnQ=",), ("not base64!",)])
def test_unusable_credential_keys_are_named(settings: Settings, keys: tuple[str, ...]) -> None:
    settings.CREDENTIAL_KEYS = keys
    assert_only_failed(Client().get("/readyz"), "credential_keys")


def test_a_database_that_does_not_answer_is_named() -> None:
    # pytest-django bars the database here, which fails just as an absent one does.
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert {statuses(response)[name] for name in ("database", "migrations", "stored_credentials")} == {"failed"}
    assert statuses(response)["credential_keys"] == "ok"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_only_read(path: str) -> None:
    assert Client().post(path).status_code == 405


METRICS: list[tuple[dict[str, str], int]] = [
    ({"REMOTE_ADDR": "127.0.0.1"}, 200),
    ({"REMOTE_ADDR": "::1"}, 200),
    ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
    ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=127.0.0.1"}, 404),
    ({"REMOTE_ADDR": "10.0.0.9"}, 404),
    ({"REMOTE_ADDR": "203.0.113.7"}, 404),
    ({"REMOTE_ADDR": ""}, 404),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("caller", "status"), METRICS)
def test_metrics_are_for_direct_callers_of_the_allowed_networks(caller: dict[str, str], status: int) -> None:
    response = Client().get("/metrics", **caller)  # type: ignore[arg-type]  # WSGI's own names
    assert response.status_code == status
    assert (b"django_http_requests" in response.content) == (status == 200)


@pytest.mark.django_db
def test_other_networks_can_be_allowed(settings: Settings) -> None:
    settings.METRICS_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    assert Client().get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 200
    assert Client().get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


def test_every_check_has_a_remedy() -> None:
    assert all(check.remedy for check in health.CHECKS)
