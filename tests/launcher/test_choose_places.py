"""Where the embedded stack keeps its files: short sockets, private parents, folders of somebody else."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
import pytest

from billing_site.launcher import places
from billing_site.launcher.errors import LauncherError


@pytest.fixture
def open_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that everybody could get to, if there were no other folder above it."""
    monkeypatch.setattr(places, "is_open_to_all", lambda path: True)
    folder = tmp_path / "state"
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "expected"), [("development", "var"), ("test", "var/test"), ("production", "var"), (None, "var")]
)
def test_state_lies_in_the_checkout_and_that_of_tests_apart(
    monkeypatch: pytest.MonkeyPatch, name: str | None, expected: str
) -> None:
    monkeypatch.delenv("COUNTINGHOUSE_STATE_DIR", raising=False)
    if name is None:
        monkeypatch.delenv("DJANGO_ENV")
    else:
        monkeypatch.setenv("DJANGO_ENV", name)
    assert places.state_folder() == places.PROJECT / expected


@pytest.mark.parametrize("length", range(1, 200, 9))
def test_every_socket_is_short_enough(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(places, "is_open_to_all", lambda path: True)
    state = Path("/tmp") / ("x" * length)  # noqa: S108 - nothing is made there
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(state))
    sockets = [places.postgres_socket_folder() / places.POSTGRES_SOCKET, places.valkey_socket()]
    assert all(len(os.fsencode(socket)) <= places.SOCKET_PATH_LIMIT for socket in sockets)
    assert len(set(sockets)) == len({socket.parent for socket in sockets})
    inside = len(os.fsencode(state / "postgres" / "socket" / places.POSTGRES_SOCKET)) <= places.SOCKET_PATH_LIMIT
    assert sockets[0].is_relative_to(state) == inside


def test_two_long_state_folders_have_sockets_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for last in "ab":
        monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", f"/tmp/{'x' * 150}{last}")  # noqa: S108
        found |= {places.postgres_socket_folder(), places.valkey_socket().parent}
    assert len(found) == 4


@pytest.mark.parametrize(
    "name", ["plain", "with space", "with%41percent", "with#hash", "with?mark", "wïth", "with+plus"]
)
def test_the_urls_mean_the_sockets_whatever_the_folder_is_called(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(places, "is_open_to_all", lambda path: True)
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", f"/tmp/{name}")  # noqa: S108
    database = environ.Env.db_url_config(places.database_url())
    assert database["OPTIONS"] == {"host": str(places.postgres_socket_folder())}
    assert (database["NAME"], database["USER"], database["HOST"]) == ("countinghouse", "countinghouse", "")
    broker = urlsplit(places.broker_url())
    assert (broker.scheme, unquote(broker.path)) == ("redis+socket", str(places.valkey_socket()))


@pytest.mark.parametrize("closed", ["state", "parent"])
def test_as_root_a_private_folder_sends_the_database_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    monkeypatch.setattr(places, "runs_as_root", lambda: True)
    state = tmp_path / "parent" / "state"
    state.mkdir(parents=True)
    (state if closed == "state" else state.parent).chmod(0o700)
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(state))
    assert places.postgres_folder() == places.outer_folder() / "postgres"
    assert places.outer_folder().parent == Path("/var/lib")
    assert places.valkey_folder().is_relative_to(state)


def test_an_ordinary_user_s_private_folder_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "runs_as_root", lambda: False)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(tmp_path))
    assert places.postgres_folder() == tmp_path / "postgres"


def test_asking_makes_nothing(open_folder: Path) -> None:
    places.database_url()
    places.broker_url()
    assert not open_folder.exists()


def test_folders_that_are_there_keep_their_mode(open_folder: Path) -> None:
    open_folder.parent.chmod(0o750)
    places.make_state_folder()
    assert open_folder.parent.stat().st_mode & 0o777 == 0o750
    assert open_folder.stat().st_mode & 0o066 == 0


def test_a_link_in_place_of_a_folder_is_refused(open_folder: Path) -> None:
    elsewhere = open_folder.parent / "elsewhere"
    elsewhere.mkdir()
    open_folder.mkdir()
    (open_folder / "postgres").symlink_to(elsewhere)
    with pytest.raises(LauncherError, match="is not a folder of user"):
        places.make_home(places.postgres_folder())
    assert list(elsewhere.iterdir()) == []


def test_somebody_else_s_folder_is_refused(open_folder: Path) -> None:
    open_folder.mkdir()
    with pytest.raises(LauncherError, match="COUNTINGHOUSE_STATE_DIR"):
        places.make_folder(open_folder, 0o700, owner=(os.geteuid() + 1, os.getegid()))
