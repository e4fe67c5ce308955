"""The README's commands, run as they stand there: `make run` on a fresh state, then the product's first call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing_site.launcher.places import PROJECT
from tests.faults.stacks import free_port, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.faults]

README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^( *)```console\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)


def block(words: str) -> str:
    """The console block that holds the words, without its indentation."""
    found = [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in BLOCKS if words in text]
    assert len(found) == 1, f"one console block of the README holds {words!r}"
    return found[0]


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A newcomer's: nothing set, but where the state lies and which port is free."""
    parent = Path(tempfile.mkdtemp(prefix="ch-"))
    parent.chmod(0o711)
    outside = {"DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_ENV", "DJANGO_SETTINGS_MODULE", "MAKEFLAGS", "MAKELEVEL"}
    kept = {name: value for name, value in os.environ.items() if name not in outside}
    yield {**kept, "COUNTINGHOUSE_STATE_DIR": str(parent / "state"), "PORT": str(free_port())}
    shutil.rmtree(parent, ignore_errors=True)


def type_in(words: str, environment: dict[str, str]) -> str:
    """Run the block that holds the words, as it stands there but for the port; what it printed."""
    typed = block(words).replace(":8000", f":{environment['PORT']}")
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", typed],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(printed: str) -> list[dict[str, Any]]:
    """The JSON answers among what was printed."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_the_readme_names_every_command_and_every_app() -> None:
    commands = {path.stem for path in PROJECT.glob("apps/*/management/commands/[a-z]*.py")}
    table = README[README.index("## Commands") :]
    table = table[: table.index("\n## ", 1)]
    assert set(re.findall(r"`([a-z_]+)`", table)) == commands
    for path in PROJECT.glob("apps/*/README.md"):
        assert f"({path.relative_to(PROJECT).as_posix()})" in README


def test_the_two_commands_are_the_makefiles() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for command in block("make test").split("\n"):
        if command:
            assert re.search(rf"^{command.removeprefix('make ')}:.*##", makefile, re.MULTILINE), command


def test_make_run_and_the_tour_work_as_written(environment: dict[str, str]) -> None:
    said = Path(environment["COUNTINGHOUSE_STATE_DIR"]).with_name("said")
    with said.open("wb") as output:
        running = subprocess.Popen(
            block("make run").split("\n", 1)[0].split(),
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Ready." in said.read_text() or running.poll() is not None, said.read_text)
        assert running.poll() is None, said.read_text()
        allowed, charged = answers(type_in("credits:consume", environment))
        assert (allowed["decision"], allowed["price"]) == ("allow", "2.5")
        assert (charged["charged"], charged["replayed"]) == ("2.5", False)
        assert answers(type_in("credits:consume", environment))[1]["replayed"]
        # In processes of their own, which all follow the one clock.
        said_of_clock = type_in("clock --advance", environment)
        before, after = answers(said_of_clock)
        assert before["state"] == "grace"
        assert after["state"] == "suspended_read_only"
        assert "15 days ahead of real time" in said_of_clock
        assert "end-grace-periods 15" in said_of_clock
        with urllib.request.urlopen(f"http://localhost:{environment['PORT']}/sign-in/") as page:
            assert "<b>Test clock</b>" in page.read().decode()
        assert type_in("create_staff", environment).strip()
        printed = said.read_text()
        assert f":{environment['PORT']}/admin/" in printed
        assert "pat@countinghouse.example" in printed
    finally:
        os.killpg(running.pid, signal.SIGINT)
        running.wait(60)
