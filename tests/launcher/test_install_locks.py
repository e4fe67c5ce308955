"""Installing is a function of the lock alone: whatever the registry has released since, and with the oldest pip."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from billing_site.launcher.places import PROJECT
from tests.counterparts.environments import all_downloaded, downloaded
from tests.launcher.registry import Registry, build_tool, serving, sources, wheel
from tests.sizes import size

# The pips that CPython 3.11 came with first, and long after. Newer Pythons have no pip that old.
OLD_PIPS = ["22.3", "23.2.1"] if sys.version_info < (3, 12) else []
PIPS = [*OLD_PIPS, "of this Python"]
# What differs least between pips is tried with the oldest one alone.
SOME_PIPS = size(small=PIPS[:1], full=PIPS)
LOCKS = sorted(path for path in (PROJECT / ".requirements").glob("*.txt"))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An environment with that pip to copy, made once: making one with its pip takes longer than most tests."""
    home = tmp_path_factory.mktemp("environments")

    @cache
    def make(pip: str) -> Path:
        folder = home / pip
        is_old = pip in OLD_PIPS
        subprocess.run([sys.executable, "-m", "venv", *(["--without-pip"] if is_old else []), str(folder)], check=True)
        if is_old:
            [packages] = folder.glob("lib/python*/site-packages")
            with zipfile.ZipFile(downloaded(f"pip-{pip}")) as archive:
                archive.extractall(packages)
        return folder

    return make


@pytest.fixture(params=PIPS)
def python(request: pytest.FixtureRequest, environments: Callable[[str], Path], tmp_path: Path) -> Path:
    """The Python of a new environment with that pip. It is always called by its path, so that a copy will do."""
    folder = tmp_path / "environment"
    subprocess.run(["/bin/cp", "-a", environments(request.param), folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A tool that asks for a part with an extra, as pytest-cov does of coverage, and newer releases of everything."""
    offered = Registry()
    for version in ("1.0", "2.0"):
        offered.add(f"tool-{version}-py3-none-any.whl", wheel("tool", version, "part[more]>=1.0"))
        part = wheel("part", version, 'extra>=1.0; extra == "more"', extra="more")
        offered.add(f"part-{version}-py3-none-any.whl", part)
        offered.add(f"extra-{version}-py3-none-any.whl", wheel("extra", version))
        ready = wheel("made", "1.0", modules={"made": f"built_by = {version!r}"})
        name = f"builder-{version}-py3-none-any.whl"
        offered.add(name, build_tool("builder", version, ready, "made-1.0-py3-none-any.whl"))
    offered.add("made-1.0.tar.gz", sources("made", "1.0", "builder"))
    with serving(offered):
        yield offered


def _lock(registry: Registry, path: Path, *names: str) -> Path:
    path.write_text("".join(registry.add(name, registry.files[name]) for name in names), encoding="ascii")
    return path


def _wheels(*projects: str) -> list[str]:
    return [f"{project}-1.0-py3-none-any.whl" for project in projects]


def _run(command: list[str | Path], registry: Registry) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    asked = {"PIP_INDEX_URL": registry.address, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run(command, env=ours | asked, capture_output=True, text=True, check=False)


def _versions(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {package["name"]: package["version"] for package in json.loads(listed.stdout)}


def test_newer_releases_change_nothing_and_no_resolver_is_asked(
    python: Path, registry: Registry, tmp_path: Path
) -> None:
    lock = _lock(registry, tmp_path / "lock.txt", *_wheels("tool", "part", "extra"))
    done = _run([PROJECT / ".ci" / "install", python, lock], registry)
    assert done.returncode == 0, done.stderr
    assert {name: _versions(python)[name] for name in ("tool", "part", "extra")} == dict.fromkeys(
        ("tool", "part", "extra"), "1.0"
    )
    assert sorted(registry.asked) == sorted(_wheels("tool", "part", "extra"))


if OLD_PIPS:

    @pytest.mark.parametrize("python", OLD_PIPS, indirect=True)
    def test_the_control_a_pip_that_resolves_falls_over_the_newer_release(
        python: Path, registry: Registry, tmp_path: Path
    ) -> None:
        lock = _lock(registry, tmp_path / "lock.txt", *_wheels("tool", "part", "extra"))
        done = _run([python, "-m", "pip", "install", "-qq", "--require-hashes", "-r", lock], registry)
        assert done.returncode == 1
        assert "In --require-hashes mode" in done.stderr
        assert "part-2.0-py3-none-any.whl" in done.stderr


@pytest.mark.parametrize("python", SOME_PIPS, indirect=True)
def test_a_lock_that_is_not_complete_is_refused(python: Path, registry: Registry, tmp_path: Path) -> None:
    lock = _lock(registry, tmp_path / "lock.txt", *_wheels("tool"))
    done = _run([PROJECT / ".ci" / "install", python, lock], registry)
    assert done.returncode == 1
    assert "The locks are not complete: tool 1.0 requires part" in done.stderr


def test_all_that_the_project_asks_for_is_installed_extras_too() -> None:
    """`pip check` looks at no extras; this walks all that pyproject.toml asks for."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["development"]]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found = distribution(requirement.name)
        assert requirement.specifier.contains(found.version, prereleases=True), requirement
        for text in found.requires or []:
            wanted = Requirement(text)
            contexts: list[dict[str, str]] = [{"extra": extra} for extra in ("", *requirement.extras)]
            if wanted.marker is None or any(wanted.marker.evaluate(context) for context in contexts):
                waiting.append(wanted)
    assert len(seen) > 150  # it did walk


@pytest.mark.parametrize("python", SOME_PIPS, indirect=True)
def test_what_comes_as_sources_is_built_with_the_locked_tool(python: Path, registry: Registry, tmp_path: Path) -> None:
    locks = [
        _lock(registry, tmp_path / "build.txt", *_wheels("builder")),
        _lock(registry, tmp_path / "lock.txt", "made-1.0.tar.gz"),
    ]
    done = _run([PROJECT / ".ci" / "install", python, *locks], registry)
    assert done.returncode == 0, done.stderr
    built_by = subprocess.run(
        [python, "-c", "import made; print(made.built_by)"], capture_output=True, text=True, check=True
    )
    assert built_by.stdout.strip() == "1.0"
    assert sorted(registry.asked) == ["builder-1.0-py3-none-any.whl", "made-1.0.tar.gz"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_names_exact_releases_with_hashes_and_no_registry(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"\n(?! )", text.rstrip("\n"))
    pinned = re.compile(r"[a-z0-9._-]+==[^\s;]+(?: ; [^\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+", re.IGNORECASE)
    assert [entry for entry in entries if not pinned.fullmatch(entry)] == []
    assert "://" not in text


@pytest.mark.parametrize("python", SOME_PIPS, indirect=True)
@pytest.mark.parametrize("lock", size(small=["engines"], full=["runtime", "development"]))
@pytest.mark.prove(
    "installing a whole lock beside newer releases of all of it",
    size=size(small=1, full=2),
    control="a pip that resolves falls over the newer release",
)
def test_the_whole_lock_beside_newer_releases_of_all_of_it(python: Path, lock: str) -> None:
    path = PROJECT / ".requirements" / f"{lock}.txt"
    files = all_downloaded(lock)
    registry = Registry()
    for file in files:
        registry.add(file.name, file.read_bytes())
        project = file.name.split("-")[0]
        registry.add(f"{project}-9999-py3-none-any.whl", wheel(project, "9999"))
    with serving(registry):
        done = _run([PROJECT / ".ci" / "install", python, path], registry)
    assert done.returncode == 0, done.stderr
    assert sorted(registry.asked) == sorted(file.name for file in files)
    assert "9999" not in _versions(python).values()
