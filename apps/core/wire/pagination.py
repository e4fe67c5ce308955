"""Cursor pages: keyset order, opaque signed cursors, no count and no offset (spec 08, Internal API).

A cursor holds the key of the last row that was given out and is bound to its list, so that one list's cursor can't be
used with another. A cursor that we did not make is 400, a limit out of bounds 422.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from apps.core.errors import CountinghouseError
from apps.core.wire.serializers import impossible, malformed

PAGE_PARAMETERS = frozenset({"cursor", "limit"})
DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
_SALT = "apps.core.wire.pagination"
# What `signing.dumps` makes: the value, the second of its making, the signature.
CURSOR_PATTERN = r"[A-Za-z0-9_-]+:[A-Za-z0-9]+:[A-Za-z0-9_-]{43}"
_LONGEST_LIMIT_TEXT = 9

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of the list is asked for. `after` is the key of the last row of the page before, as texts."""

    list_name: str
    limit: int = DEFAULT_LIMIT
    after: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page; `next_cursor` is None on the last one."""

    items: list[Row]
    next_cursor: str | None


def page_request(request: Request, list_name: str) -> PageRequest:
    """Read `cursor` and `limit` from the query. `list_name` names the list with its owner ("entries:<account id>")."""
    limit_text = request.query_params.get("limit")
    cursor = request.query_params.get("cursor")
    return PageRequest(
        list_name=list_name,
        limit=DEFAULT_LIMIT if limit_text is None else _limit(limit_text),
        after=None if cursor is None else _opened(cursor, list_name),
    )


def page_of(rows: QuerySet[Row], page: PageRequest, key: Sequence[str], *, newest_first: bool = True) -> Page[Row]:
    """The page, ordered by the columns of `key`, which together must be unique and not null."""
    if page.after is not None:
        rows = rows.filter(_beyond(rows, key, page.after, newest_first=newest_first))
    sign = "-" if newest_first else ""
    found = list(rows.order_by(*(f"{sign}{name}" for name in key))[: page.limit + 1])
    items = found[: page.limit]
    more = len(found) > page.limit
    return Page(items=items, next_cursor=_sealed(items[-1], key, page.list_name) if more else None)


def _beyond(rows: QuerySet[Row], key: Sequence[str], after: tuple[str, ...], *, newest_first: bool) -> Q:
    """(a, b) beyond (x, y): a beyond x, or a = x and b beyond y."""
    if len(after) != len(key):
        raise _bad_cursor()
    try:
        values = [_column(rows.model, name).to_python(text) for name, text in zip(key, after, strict=True)]
    except DjangoValidationError as error:
        raise _bad_cursor() from error
    lookup = "lt" if newest_first else "gt"
    alternatives: list[Q] = []
    for position, name in enumerate(key):
        same = dict(zip(key[:position], values[:position], strict=True))
        alternatives.append(Q(**same, **{f"{name}__{lookup}": values[position]}))
    return reduce(or_, alternatives)


def _sealed(row: Model, key: Sequence[str], list_name: str) -> str:
    texts = [_column(type(row), name).value_to_string(row) for name in key]
    return signing.dumps([list_name, *texts], salt=_SALT)


def _column(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)


def _opened(cursor: str, list_name: str) -> tuple[str, ...]:
    try:
        held = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError) as error:
        raise _bad_cursor() from error
    if not isinstance(held, list) or not all(isinstance(text, str) for text in held) or held[:1] != [list_name]:
        raise _bad_cursor()
    return tuple(held[1:])


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_LIMIT_TEXT):
        raise malformed("limit", "wrong_type", f"must be an integer from 1 to {LARGEST_LIMIT}.").as_error()
    limit = int(text)
    if not 1 <= limit <= LARGEST_LIMIT:
        raise impossible("limit", "out_of_range", f"must be from 1 to {LARGEST_LIMIT}.").as_error()
    return limit


def _bad_cursor() -> CountinghouseError:
    message = "is not a cursor of this list. Take `next_cursor` of the page before, or leave it out to start again."
    return malformed("cursor", "bad_cursor", message).as_error()


def page_parts(page: Page[Any], rendered: list[Any]) -> dict[str, Any]:
    """The answer's body: the rendered items and the cursor of the next page, null on the last."""
    return {"items": rendered, "next_cursor": page.next_cursor}
