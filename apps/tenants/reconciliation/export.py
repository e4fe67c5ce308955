"""Reads one page of a product's membership export (spec 09, Membership export that reconciliation reads).

Whatever the product answers, the sentence of an error says which page and row it is about, and never holds the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.moments import MomentError, read_moment
from apps.core.outgoing import Call, OutgoingError, RefusedAddressError, outgoing_call
from apps.core.texts import UNSTORABLE
from apps.tenants.memberships import AHEAD_AT_MOST
from apps.tenants.reconciliation_rules import ReportedRow

MEMBERS_A_PAGE = 10_000
_LONGEST_CURSOR, _LONGEST_EMAIL = 2_000, 254
_LARGEST_TOTAL = 2_000_000_000
_OK = 200
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class ExportError(Exception):
    """The export can't be read. `is_permanent`: the same question gets no better answer later."""

    def __init__(self, sentence: str, *, is_permanent: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_permanent = is_permanent


@dataclass(frozen=True, slots=True)
class Page:
    """One page, in the order in which the product delivered it."""

    rows: tuple[ReportedRow, ...]
    next_cursor: str
    total: int


def read_page(url: str, key: str, cursor: str, number: int) -> Page:
    """Ask for the page. Raises `ExportError`."""
    call = Call(
        url=url,
        params={"cursor": cursor} if cursor else {},
        headers={"Accept": "application/json"},
        secret_headers={"Authorization": f"Bearer {key}"} if key else {},
        is_to_product=True,
    )
    try:
        answer = outgoing_call(call)
    except RefusedAddressError as error:
        raise ExportError(f"The export's address may not be called. {error}", is_permanent=True) from None
    except OutgoingError as error:
        raise ExportError(f"Page {number}: {error.sentence}", is_permanent=error.is_permanent) from None
    if answer.status != _OK:
        raise ExportError(
            f"Page {number}: the product answered {answer.status}{_hint(answer.status)}.",
            is_permanent=not answer.is_worth_repeating,
        )
    return parse_page(answer.body, number)


def parse_page(body: bytes, number: int) -> Page:
    """The page that the bytes spell. Raises `ExportError`, which names page, row and field."""
    where = f"Page {number}"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ExportError(f"{where} is not JSON.", is_permanent=True) from None
    if not isinstance(document, dict):
        raise ExportError(f"{where} is not a JSON object.", is_permanent=True)
    members, total, cursor = document.get("members"), document.get("total"), document.get("next_cursor")
    if not isinstance(members, list) or len(members) > MEMBERS_A_PAGE:
        raise ExportError(f"{where}: members must be a list of at most {MEMBERS_A_PAGE:,}.", is_permanent=True)
    if isinstance(total, bool) or not isinstance(total, int) or not 0 <= total <= _LARGEST_TOTAL:
        raise ExportError(f"{where}: total must be the number of members of the whole export.", is_permanent=True)
    if not _is_cursor(cursor):
        raise ExportError(
            f"{where}: next_cursor must be text of at most {_LONGEST_CURSOR:,} characters, or null.", is_permanent=True
        )
    now = clock.now()
    rows = tuple(_read_row(row, f"{where}, row {place}", now) for place, row in enumerate(members, start=1))
    return Page(rows, cursor or "", total)


def _is_cursor(cursor: object) -> bool:
    if cursor is None:
        return True
    return isinstance(cursor, str) and len(cursor) <= _LONGEST_CURSOR and not UNSTORABLE.search(cursor)


def _hint(status: int) -> str:
    return {401: "; check the key on its page", 403: "; check the key on its page", 404: "; check the address"}.get(
        status, ""
    )


def _read_row(row: object, where: str, now: datetime) -> ReportedRow:
    if not isinstance(row, Mapping):
        raise ExportError(f"{where} is not an object.", is_permanent=True)
    role, email = row.get("role"), row.get("email")
    if role not in MembershipRole.values:
        roles = ", ".join(MembershipRole.values)
        raise ExportError(f"{where}: role must be one of {roles}.", is_permanent=True)
    if email is not None and not isinstance(email, str):
        raise ExportError(f"{where}: email must be text.", is_permanent=True)
    return ReportedRow(
        organization_id=_read_id(row, "organization_id", where),
        user_id=_read_id(row, "user_id", where),
        role=MembershipRole(role),
        changed_at=_read_time(row.get("changed_at"), where, now),
        email=UNSTORABLE.sub("", (email or "").strip())[:_LONGEST_EMAIL],
    )


def _read_id(row: Mapping[Any, Any], field: str, where: str) -> UUID:
    text = row.get(field)
    if not isinstance(text, str) or _UUID.fullmatch(text) is None:
        raise ExportError(f"{where}: {field} must be a UUID in lower case.", is_permanent=True)
    return UUID(text)


def _read_time(value: object, where: str, now: datetime) -> datetime | None:
    """The moment; None where there is none, or one ahead of our clock: that overrides no removal."""
    if value is None:
        return None
    try:
        moment = read_moment(value) if isinstance(value, str) else None
    except MomentError as error:
        raise ExportError(f"{where}: changed_at {error}", is_permanent=True) from None
    if moment is None:
        raise ExportError(f"{where}: changed_at must be an RFC 3339 time.", is_permanent=True)
    return moment if moment <= now + AHEAD_AT_MOST else None
