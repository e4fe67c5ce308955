"""Lists as CSV: the rows of the filter, streamed in pieces in the list's usual order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.core import clock
from apps.core.exports import csv_lines, harmless, sheet_time
from apps.core.pieces import in_pieces

EXPORT_OPERATION = "lists.export"
AT_ONCE = 500

# The columns of a file: the heading, and the value of a row. Moments are written in UTC.
FileColumns = Mapping[str, Callable[[Any], object]]


def list_file(request: HttpRequest, page: Any) -> HttpResponseBase:
    """The rows of the list's filter as CSV; an address that the list can't read leads to the list."""
    try:
        listed = page.get_changelist_instance(request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect("..")
    name = f"{page.opts.verbose_name_plural}-{clock.now().astimezone(UTC):%Y-%m-%d}.csv".replace(" ", "-")
    rows = _batches(listed.queryset, _key(page.ordering), page.prepare_rows)
    return StreamingHttpResponse(
        csv_lines(tuple(page.file_columns), _lines(page.file_columns, rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _key(ordering: Sequence[str]) -> tuple[str, ...]:
    """The order of the list as far as it is of the row's own fields, made unique by the key."""
    own = [] if any("__" in name for name in ordering) else [name for name in ordering if name not in {"id", "pk"}]
    return (*own, "pk")


def _batches(
    rows: QuerySet[Any], key: Sequence[str], prepare: Callable[[list[Any]], list[Any]]
) -> Iterator[Sequence[Any]]:
    read = in_pieces(rows, key=key, size=AT_ONCE)
    # itertools.batched begins with Python 3.12.
    while batch := list(islice(read, AT_ONCE)):
        yield prepare(batch)


def _lines(columns: FileColumns, batches: Iterator[Sequence[Any]]) -> Iterator[Sequence[object]]:
    for batch in batches:
        for row in batch:
            yield [_cell(value_of(row)) for value_of in columns.values()]


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return sheet_time(value, UTC)
        # A number stays one, whatever it begins with: what a spreadsheet can't add up is of no use.
        case int() | Decimal():
            return value
    return harmless(str(value))
