"""Where the embedded stack keeps its files. Imports nothing of Django, so that settings can ask it.

Asking changes nothing on the disk; only the `make_…` functions create folders, and they refuse a folder that belongs to
somebody else.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from urllib.parse import quote

from billing_site.launcher.errors import LauncherError

PROJECT = Path(__file__).resolve().parents[2]

POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
# The kernel's limit for the path of a Unix socket is 107 bytes on Linux, 103 on macOS.
SOCKET_PATH_LIMIT = 103


def state_folder() -> Path:
    """The folder of all local state: `COUNTINGHOUSE_STATE_DIR`, else `var/` (tests: `var/test/`)."""
    configured = os.environ.get("COUNTINGHOUSE_STATE_DIR")
    if configured:
        return Path(configured).resolve()
    return PROJECT / "var" / "test" if os.environ.get("DJANGO_ENV") == "test" else PROJECT / "var"


def database_url() -> str:
    """The URL of the embedded PostgreSQL."""
    return f"postgres://countinghouse@/countinghouse?host={quote(str(postgres_socket_folder()))}"


def broker_url() -> str:
    """The URL of the embedded Valkey, a Redis-protocol broker on a Unix socket."""
    return f"redis+socket://{quote(str(valkey_socket()))}?virtual_host=0"


def postgres_folder() -> Path:
    """The home of the embedded PostgreSQL: below the state folder, or outside when its user cannot get there.

    PostgreSQL refuses to run as root. Run by root, it is an unprivileged user's, and a checkout below a folder that
    only root can enter is out of that user's reach.
    """
    state = state_folder()
    if runs_as_root() and not is_open_to_all(state):
        return outer_folder() / "postgres"
    return state / "postgres"


def postgres_socket_folder() -> Path:
    """The folder of PostgreSQL's socket; only its owner can enter it."""
    return _short_enough(postgres_folder() / "socket", POSTGRES_SOCKET)


def valkey_folder() -> Path:
    """The home of the embedded Valkey."""
    return state_folder() / "valkey"


def valkey_socket() -> Path:
    """The socket of the embedded Valkey; only its owner can enter its folder."""
    return _short_enough(valkey_folder() / "socket", VALKEY_SOCKET) / VALKEY_SOCKET


def outer_folder() -> Path:
    """The folder outside the checkout, a different one for each state folder and, in a shared place, each user."""
    digest = hashlib.sha256(os.fsencode(state_folder())).hexdigest()[:12]
    if runs_as_root():
        return Path("/var/lib") / f"countinghouse-{digest}"
    return Path("/var/tmp") / f"countinghouse-{os.geteuid()}-{digest}"  # noqa: S108 - make_folder checks whose it is


def runs_as_root() -> bool:
    """Whether this process is root."""
    return os.geteuid() == 0


def is_open_to_all(path: Path) -> bool:
    """Whether any user can get to `path`: what exists of it and above it lets everybody through."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


def make_state_folder() -> Path:
    """The state folder, made when missing. Only folders made here get their mode set; others keep theirs."""
    state = state_folder()
    missing = [folder for folder in (state, *state.parents) if not folder.exists()]
    for folder in reversed(missing):
        # Passing through is all that the unprivileged user of PostgreSQL needs.
        make_folder(folder, 0o711 if runs_as_root() else 0o700)
    return state


def make_home(folder: Path) -> Path:
    """An engine's home folder, and what lies between it and the state folder or the outer one."""
    make_state_folder()
    for home in (outer_folder(), folder):
        if folder.is_relative_to(home):
            make_folder(home, 0o711 if runs_as_root() else 0o700)
    return folder


def make_folder(folder: Path, mode: int, owner: tuple[int, int] | None = None) -> Path:
    """The folder with the mode and the owner (user, group); one that is there already must be the owner's."""
    expected = os.geteuid() if owner is None else owner[0]
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != expected:
            raise LauncherError(
                f"{folder} is not a folder of user {expected} (it is user {found.st_uid}'s). Run as the user who made "
                "it, remove it, or set COUNTINGHOUSE_STATE_DIR to a folder of your own."
            ) from None
    except PermissionError:
        raise LauncherError(
            f"{folder} cannot be made: {folder.parent} belongs to another user. Set COUNTINGHOUSE_STATE_DIR to a "
            "folder of your own."
        ) from None
    else:
        if owner is not None:
            os.chown(folder, *owner)
        folder.chmod(mode)
    return folder


def _short_enough(folder: Path, socket: str) -> Path:
    if len(os.fsencode(folder / socket)) <= SOCKET_PATH_LIMIT:
        return folder
    return outer_folder() / folder.parent.name[:2]
