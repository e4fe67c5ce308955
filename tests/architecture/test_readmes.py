"""Each app has a README of at most 40 lines, and what the pages about apps name exists (spec 10, Top level)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT, sources

APPS = sorted(path.name for path in (PROJECT / "apps").iterdir() if (path / "apps.py").is_file())
PAGES = [*PROJECT.glob("apps/*/README.md"), *PROJECT.glob("docs/design/*.md")]

MOST_LINES = 40
LONGEST_LINE = 120

IN_BACKQUOTES = re.compile(r"`([^`\n]+)`")
IN_LINKS = re.compile(r"\]\(([^)#:]+)\)")
FILE = re.compile(r"[\w.-]+(/[\w.-]+)*(/|\.(py|sql|html|css|js|md|toml|json))")
MODULE = re.compile(r"apps(\.[a-z_]+)+(\.\w+)*")
NAME = re.compile(r"[a-z]+(_[a-z0-9]+)+")


def app_of(page: Path) -> str:
    return page.stem if page.parent.name == "design" else page.parent.name


def is_file(name: str, app: str) -> bool:
    """Whether the project has it, from its root or from the app's folder; core's pages speak of files of any app."""
    folders = APPS if app == "core" else [app]
    return any((folder / name).exists() for folder in (PROJECT, *(PROJECT / "apps" / each for each in folders)))


def is_module(name: str) -> bool:
    """Whether it is a module, or a name that stands in one."""
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        path = PROJECT.joinpath(*parts[:end])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                text = file.read_text(encoding="utf-8")
                return all(re.search(rf"\b{part}\b", text) for part in parts[end:])
    return PROJECT.joinpath(*parts).is_dir()


def words_of_the_project() -> set[str]:
    sql = (path.read_text(encoding="utf-8") for path in PROJECT.glob("apps/*/migrations/sql/*/*.sql"))
    python = (source.text for source in sources("apps", "billing_site", "tests"))
    return {word for text in (*sql, *python) for word in re.findall(r"\w+", text)}


def missing(text: str, app: str, words: set[str]) -> list[str]:
    """What the text names in backquotes or links to, and nobody finds: files, modules, functions and fields."""
    quoted = IN_BACKQUOTES.findall(text)
    return [
        *(name for name in quoted if FILE.fullmatch(name) and not is_file(name, app)),
        *(name for name in quoted if MODULE.fullmatch(name) and not is_module(name)),
        *(name for name in quoted if NAME.fullmatch(name) and name not in words),
    ]


def dead_links(page: Path, text: str) -> list[str]:
    return [link for link in IN_LINKS.findall(text) if not (page.parent / link).exists()]


@pytest.mark.parametrize("app", APPS)
def test_each_app_has_a_short_readme(app: str) -> None:
    lines = (PROJECT / "apps" / app / "README.md").read_text(encoding="utf-8").splitlines()
    assert 1 < len(lines) <= MOST_LINES
    assert [line for line in lines if len(line) > LONGEST_LINE] == []
    design = f"docs/design/{app}.md"
    assert not (PROJECT / design).exists() or any(f"(../../{design})" in line for line in lines), f"link to {design}"


def test_what_the_pages_name_exists() -> None:
    words = words_of_the_project()
    assert {app_of(page) for page in PAGES} == set(APPS)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert missing(text, app_of(page), words) == [], page
        assert dead_links(page, text) == [], page


def test_a_name_of_nothing_is_found() -> None:
    right = "`rules/pricing.py` `apps/core/clock.py` `api/` `apps.credits.rules.pricing` `apps.core.clock.now` `a_b`"
    wrong = "`rules/prices.py` `apps/core/watch.py` `apis/` `apps.credits.prices` `apps.core.clock.tick` `a_c`"
    assert missing(right, "credits", {"a_b"}) == []
    assert missing(wrong, "credits", {"a_b"}) == re.findall(IN_BACKQUOTES, wrong)
    page = PROJECT / "apps" / "credits" / "README.md"
    assert dead_links(page, "[a](../core/README.md) [b](../core/NONE.md)") == ["../core/NONE.md"]
