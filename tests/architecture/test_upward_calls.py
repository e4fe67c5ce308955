"""The calls from an app to one above it are those of `docs/upward-calls.md`, and no others (spec 10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType

from apps.core import backlog, kept_elsewhere
from apps.core.jobs import demo
from apps.credits.selectors import burn, entry_sums
from apps.credits.services import books
from apps.subscriptions import handlers, preview, receipts
from apps.tenants import bootstrap, closing, pages, shadow
from tests.architecture.sources import PROJECT

ROW = re.compile(r"^\| `(apps\.[\w.]+)` \| `\w+` \| (?:`(\w+)`)? ?\| `([\w.]+)` \|", re.MULTILINE)


# Where the app below calls the functions that apps above have registered.
REGISTRIES: tuple[tuple[ModuleType, Mapping[str, object]], ...] = (
    (books, books._checks),
    (books, books._keepers),
    (burn, burn._readers),
    (bootstrap, bootstrap._steps),
    (closing, closing._open_items),
    (closing, closing._closed),
    (closing, closing._reopened),
    (handlers, handlers._handlers),
    (handlers, handlers._subscription_handlers),
    (handlers, handlers._saved_handlers),
    (handlers, handlers._locks),
    (handlers, handlers._standings),
    (pages, pages._lifecycle_sources),
    (pages, pages._dues_sources),
    (preview, preview._consequences),
    (receipts, receipts._replayers),
    (backlog, backlog._books),
    (demo, demo._questions),
    (entry_sums, entry_sums._sources),
    (kept_elsewhere, kept_elsewhere._finders),
    (shadow, shadow._readers),
)


def path_of(function: object) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def registered() -> set[tuple[str, str, str]]:
    return {
        (module.__name__, name, path_of(function))
        for module, functions in REGISTRIES
        for name, function in functions.items()
    }


def test_the_table_names_every_registered_function() -> None:
    text = (PROJECT / "docs" / "upward-calls.md").read_text(encoding="utf-8")
    assert {(registry, name, function) for registry, name, function in ROW.findall(text)} == registered()


def test_the_page_names_every_module_that_keeps_a_registry() -> None:
    text = (PROJECT / "docs" / "upward-calls.md").read_text(encoding="utf-8")
    keepers = {
        path.relative_to(PROJECT).with_suffix("").as_posix().replace("/", ".")
        for path in (PROJECT / "apps").rglob("*.py")
        if re.search(r"= Registry\(", path.read_text(encoding="utf-8"))
    }
    assert "apps.subscriptions.handlers" in keepers
    assert {keeper for keeper in keepers if f"`{keeper}`" not in text} == set()
