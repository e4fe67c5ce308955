"""A pooler that loses prepared statements is found by what it does, before anything starts (spec 14, Topology)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import checks
from django.db import connection, connections

from apps.core.checks import database_is_usable
from apps.core.postgresql.base import BoundedConnection
from apps.core.postgresql.probe import ForgetfulPoolerError, find_forgetful_pooler
from apps.core.statements import fetch_all
from billing_site import celery
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.servers import refuse_unreachable
from tests.faults.poolers import ForgetfulPooler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pooler() -> Iterator[ForgetfulPooler]:
    name, user = connection.settings_dict["NAME"], connection.settings_dict["USER"]
    pooler = ForgetfulPooler(str(name), str(user))
    yield pooler
    pooler.close()


@pytest.fixture
def behind_pooler(pooler: ForgetfulPooler) -> Iterator[None]:
    """This process's Django goes through the pooler, as with its address in DATABASE_URL."""
    connection.close()
    before: dict[str, Any] = dict(connection.settings_dict)
    options = {name: value for name, value in before["OPTIONS"].items() if name != "host"}
    connection.settings_dict.update(HOST="127.0.0.1", PORT=str(pooler.port), OPTIONS=options)
    yield
    connection.close()
    connection.settings_dict.update(before)


def url_of_the_server() -> str:
    found = connection.settings_dict
    return f"postgres://{found['USER']}@/{found['NAME']}?host={found['OPTIONS']['host']}"


def refuse(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    refuse_unreachable(with_broker=True)


def test_a_server_and_a_pooler_that_keeps_statements_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(url_of_the_server(), monkeypatch)


@pytest.mark.parametrize("servers", [1, 2, 3, 5])
def test_a_forgetful_pooler_is_refused_whatever_the_size_of_its_pool(
    servers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, user = connection.settings_dict["NAME"], connection.settings_dict["USER"]
    pooler = ForgetfulPooler(str(name), str(user), servers)
    try:
        with pytest.raises(LauncherError) as refused:
            refuse(pooler.url, monkeypatch)
    finally:
        pooler.close()
    assert "DATABASE_URL" in str(refused.value)
    assert "max_prepared_statements" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_control_one_connection_alone_may_find_nothing(pooler: ForgetfulPooler) -> None:
    """With one server connection behind it, a forgetful pooler looks like the server as long as nobody else comes."""
    alone = ForgetfulPooler(str(connection.settings_dict["NAME"]), str(connection.settings_dict["USER"]), 1)
    try:
        with BoundedConnection.connect(alone.url, autocommit=True) as raw:
            raw.pgconn.prepare(b"one", b"SELECT 1")
            assert raw.pgconn.exec_prepared(b"one", None).get_value(0, 0) == b"1"
        with pytest.raises(ForgetfulPoolerError):
            find_forgetful_pooler(lambda: BoundedConnection.connect(alone.url, autocommit=True))
    finally:
        alone.close()


def test_the_system_check_asks_only_where_a_database_is_named(behind_pooler: None) -> None:
    assert database_is_usable() == []
    assert [found.id for found in database_is_usable(databases=["default"])] == ["core.E002"]
    assert database_is_usable in checks.registry.registry.get_checks()


def test_the_system_check_takes_the_server_and_finds_timeouts_there() -> None:
    assert database_is_usable(databases=["default"]) == []


def test_worker_and_beat_refuse_and_end(behind_pooler: None) -> None:
    with pytest.raises(SystemExit, match="DATABASE_URL leads through a pooler"):
        celery._refuse_forgetful_pooler()


def test_worker_and_beat_wait_for_a_database_that_is_away() -> None:
    connection.close()
    before = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = before | {"host": "/nowhere"}
    try:
        celery._refuse_forgetful_pooler()
    finally:
        connection.settings_dict["OPTIONS"] = before


@pytest.mark.slow
def test_even_there_no_statement_runs_in_the_place_of_another(behind_pooler: None) -> None:
    """Who starts the product there in spite of the check gets slower answers, never those of another statement."""
    texts = [f"SELECT {number}, $1" for number in range(5)]
    for turn in range(20):
        for number, text in enumerate(texts):
            assert fetch_all(text, (turn,)) == [(str(number), str(turn))]
    assert "options" not in connections["default"].settings_dict["OPTIONS"]  # refused, and asked for once
