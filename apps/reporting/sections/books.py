"""Books: whether the credits add up, each identity with both sides and the difference (spec 07, Books)."""

from __future__ import annotations

from datetime import date

from apps.core.ids import OrganizationId
from apps.reporting.rules.books import BooksLine
from apps.reporting.rules.document import MOST_LINES, Comparison, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import page_link, staff_page
from apps.reporting.sections.registry import section
from apps.reporting.selectors.books import organization_books, platform_books

_KEYS = ("movements", "entries", "held", "rollups")


@section("books", order=70)
def read_books(scope: ReportScope, day: date, window: Window) -> Section:
    """The organization's own, at the end of its day; the platform's, at the end of the day in UTC."""
    if scope.organization_id is None:
        books, link = platform_books(day), staff_page("reports", day=day.isoformat())
    else:
        books, link = (
            organization_books(OrganizationId(scope.organization_id), day),
            page_link(scope, "billing-credits"),
        )
    lines = tuple(_line(key, line, link) for key, line in zip(_KEYS, books.lines, strict=True))
    found = Group(
        "faults",
        "What is wrong",
        tuple(
            Line(f"fault-{number}", "Fault", fault, Unit.TEXT, link=link, is_alarm=True)
            for number, fault in enumerate(books.faults[:MOST_LINES], start=1)
        ),
        link=link,
        left_out=max(len(books.faults) - MOST_LINES, 0),
        empty="Nothing. All entries agree.",
    )
    return Section("books", "Books", (Group("identities", "Identities", lines, link=link), found))


def _line(key: str, line: BooksLine, link: str) -> Line:
    compared = (Comparison("Other side", line.right), Comparison("Difference", line.difference))
    note = f"{line.left_is} = {line.right_is}"
    return Line(
        key, line.name, line.left, Unit.CREDITS, link=link, note=note, is_alarm=line.difference != 0, compared=compared
    )
