"""Which sections a daily report has. Each is one module of this package, which is found by itself:

    @section("credits", order=10)
    def read_credits(scope: ReportScope, day: date, window: Window) -> Section: ...

A section reads what is there and changes nothing. What it costs must not depend on how old the data is: it reads
rollups, what is open now, and rows of the window. `order`: Credits 10, Payments 20, Subscriptions 30, Connectors 40,
Access 50, Operations 60, Books 70, the lists 80 and 90, Revenue 100. The section's key is its name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module
from typing import Protocol

from apps.core.registry import Registry
from apps.reporting import sections
from apps.reporting.rules.document import Document, ReportScope, Section, Window


class SectionReader(Protocol):
    """Reads one section of the report of a local day."""

    def __call__(self, scope: ReportScope, day: date, window: Window) -> Section: ...


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """A section, where it stands, and whose reports have it: organizations', the platform's, or both.

    `operation` is what a reader needs beside the report itself; empty where that is enough.
    """

    name: str
    order: int
    of_organizations: bool
    of_platform: bool
    operation: str
    read: SectionReader


_sections: Registry[SectionEntry] = Registry("section")


def section(
    name: str, *, order: int, of_organizations: bool = True, of_platform: bool = True, operation: str = ""
) -> Callable[[SectionReader], SectionReader]:
    """Declare the decorated function as the section `name`."""

    def register(read: SectionReader) -> SectionReader:
        _sections.register(name, SectionEntry(name, order, of_organizations, of_platform, operation, read))
        return read

    return register


def load_sections() -> None:
    """Import each module of this package; called once, when the apps are ready."""
    for module in pkgutil.iter_modules(sections.__path__):
        import_module(f"{sections.__name__}.{module.name}")


def withhold_sections(document: Document, may: Callable[[str], bool]) -> Document:
    """The document without the sections whose operation the reader may not do."""
    entries = _sections.items()
    withheld = {name for name, entry in entries if entry.operation and not may(entry.operation)}
    return replace(document, sections=tuple(one for one in document.sections if one.key not in withheld))


def sections_of(scope: ReportScope) -> list[SectionEntry]:
    """The sections that a report of the scope has, in order."""
    found = (entry for entry in _sections.values() if entry.of_platform or not scope.is_platform)
    wanted = [entry for entry in found if entry.of_organizations or scope.is_platform]
    return sorted(wanted, key=lambda entry: (entry.order, entry.name))
