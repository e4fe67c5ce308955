"""What the programs of the stack write is for their own user, whatever the umask of the shell that started them."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

from billing_site.launcher.processes import fresh_log, spawn

_WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('x'); pathlib.Path(sys.argv[2]).mkdir()"


def test_files_and_folders_of_a_program_are_for_its_user(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        log = fresh_log(tmp_path / "log")
        program = spawn(
            [sys.executable, "-c", _WRITE, tmp_path / "file", tmp_path / "folder"],
            log=log,
            environment=os.environ,
            folder=tmp_path,
            end_signal=signal.SIGTERM,
        )
        assert program.wait(timeout=60) == 0
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"log": 0o600, "file": 0o600, "folder": 0o700}
