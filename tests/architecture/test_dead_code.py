"""The gate's search for dead code finds what nothing uses, and lets pass what a template or a decorator uses."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.architecture.sources import PROJECT
from tests.dead_code import unused

PLANTED = """

def nobody_calls_this() -> None:
    pass


@register_made_up
def a_decorator_takes_this() -> None:
    pass


def a_template_names_this() -> None:
    pass


class NobodyMakesThis:
    def nobody_calls_this_method(self) -> None:
        pass
"""


def test_exactly_what_nothing_uses_is_found(tmp_path: Path) -> None:
    for folder in ("apps", "billing_site", "templates"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "manage.py", tmp_path)
    with (tmp_path / "apps/core/texts.py").open("a", encoding="utf-8") as file:
        file.write(PLANTED)
    (tmp_path / "templates/planted.html").write_text("{{ a_template_names_this }}", encoding="utf-8")
    found = {line.rpartition(": ")[2] for line in unused(tmp_path)}
    assert found == {
        "function nobody_calls_this",
        "class NobodyMakesThis",
        "method nobody_calls_this_method",
    }
