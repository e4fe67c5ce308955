"""`.ci/environment` never empties a folder that is not its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from billing_site.launcher.places import PROJECT


def test_a_link_to_another_environment_is_refused_and_its_folder_kept(tmp_path: Path) -> None:
    for name in (".ci", ".requirements"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    kept = tmp_path / "elsewhere" / "kept"
    kept.parent.mkdir()
    kept.touch()
    (tmp_path / ".venv").symlink_to(kept.parent)
    answer = subprocess.run(
        ["/bin/sh", ".ci/environment", "runtime"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, kept.exists()) == (1, True)
    assert ".venv is a link" in answer.stderr
    # The control: it was going to be made anew.
    assert list(kept.parent.iterdir()) == [kept]
