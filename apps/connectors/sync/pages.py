"""Writes one page of a month: an upsert by connector and external id, set-based (spec 06, Sync run).

Writing the same page again rewrites no record, so that a page may be delivered any number of times: those that are as
before are noted beside the run. Each write runs in the transaction that moves the run's cursor. A page travels to the
database as one JSON document, which costs a fraction of what an array for each column does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from apps.connectors.contracts import ProviderError, ProviderRecord
from apps.core.moments import BOUNDS_IN_WORDS, FIRST_YEAR, LAST_YEAR

_LARGEST_AMOUNT = 2**63 - 1
_QUANTITY = re.compile(r"-?[0-9]{1,24}(\.[0-9]{1,30})?", re.ASCII)
_FURTHEST = 40
_LONGEST_ID, _LONGEST_WORD = 255, 64
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
# A NUL that JSON escapes, which no text of PostgreSQL holds; an escaped backslash before it is none.
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_ENCODER = msgspec.json.Encoder(enc_hook=str, order="deterministic")

_COMPARED = """
    SELECT page.external_id, stored.id, stored.digest = decode(page.digest, 'hex') AND stored.voided_at IS NULL
    FROM json_each_text(%s::json) AS page (external_id, digest)
    JOIN connectors_billingrecord AS stored ON stored.connector_id = %s AND stored.external_id = page.external_id
"""
_KNOWN = """
    SELECT external_id, voided_at IS NOT NULL, amount_minor, currency, quantity
    FROM connectors_billingrecord WHERE connector_id = %s AND external_id = ANY(%s)
    ORDER BY external_id FOR NO KEY UPDATE
"""
_SEEN = "INSERT INTO connectors_seenrecords (run_id, record_ids) VALUES (%s, %s::bigint[])"
_UPSERT = """
    INSERT INTO connectors_billingrecord AS stored (connector_id, month, seen_by, first_seen_at, changed_at,
        external_id, kind, description, occurred_at, quantity, unit, amount_minor, currency, category, status, raw,
        digest)
    SELECT %s, %s, %s, %s, %s, page.external_id, page.kind, page.description, page.occurred_at, page.quantity,
        page.unit, page.amount_minor, page.currency, page.category, page.status, page.raw, decode(page.digest, 'hex')
    FROM json_to_recordset(%s::json) AS page (external_id text, kind text, description text, occurred_at timestamptz,
        quantity text, unit text, amount_minor bigint, currency text, category text, status text, raw jsonb,
        digest text)
    -- In one order everywhere, so that two pages never wait for each other.
    ORDER BY page.external_id
    ON CONFLICT (connector_id, external_id) DO UPDATE SET
        month = EXCLUDED.month, seen_by = EXCLUDED.seen_by, changed_at = EXCLUDED.changed_at, kind = EXCLUDED.kind,
        description = EXCLUDED.description, occurred_at = EXCLUDED.occurred_at, quantity = EXCLUDED.quantity,
        unit = EXCLUDED.unit, amount_minor = EXCLUDED.amount_minor, currency = EXCLUDED.currency,
        category = EXCLUDED.category, status = EXCLUDED.status, raw = EXCLUDED.raw, digest = EXCLUDED.digest,
        voided_at = NULL
"""


class Fields(msgspec.Struct, frozen=True, gc=False):
    """One record in the form in which it is stored; the names are those of the columns."""

    external_id: str
    kind: str
    description: str
    occurred_at: datetime
    quantity: str
    unit: str
    amount_minor: int | None
    currency: str
    category: str
    status: str
    raw: msgspec.Raw


class Row(msgspec.Struct, frozen=True, gc=False):
    """A record to write: its fields, and the same as JSON with their digest."""

    fields: Fields
    digest: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What was stored of a record before the page."""

    is_voided: bool
    amount_minor: int | None
    currency: str
    quantity: str


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Which run writes a page, of which month, and when."""

    connector_id: UUID
    run_id: UUID
    month: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What a page did: how many it delivered, and the rows that were new or differ, with what they were before."""

    fetched: int
    created: Sequence[Row]
    updated: Sequence[tuple[Known, Row]]
    unchanged: int


def rows_of(records: Iterable[ProviderRecord], month: str) -> list[Row]:
    """The rows of a page, by external id; of two with the same id the later. Raises `ProviderError` for a bad one."""
    found = {record.external_id: record for record in records}
    return [_row(found[external_id], month.encode("ascii")) for external_id in sorted(found)]


def page_write(place: PagePlace, rows: Sequence[Row], *, fetched: int) -> PageOutcome:
    """Write the rows; the caller holds the run's row in its transaction."""
    stored = _compared(place.connector_id, rows)
    same = [record_id for record_id, is_same in stored.values() if is_same]
    created = [row for row in rows if row.fields.external_id not in stored]
    differing = [row for row in rows if not stored.get(row.fields.external_id, (0, True))[1]]
    # Locked and read again: what they were before is what is overwritten, whoever else writes.
    known = _known(place.connector_id, [row.fields.external_id for row in differing])
    with connection.cursor() as cursor:
        if same:
            cursor.execute(_SEEN, [place.run_id, "{" + ",".join(map(str, same)) + "}"])
        if created or differing:
            page = b"[" + b",".join([row.text for row in (*created, *differing)]) + b"]"
            values: list[Any] = [
                place.connector_id,
                place.month,
                place.run_id,
                place.at,
                place.at,
                page.decode("utf-8"),
            ]
            cursor.execute(_UPSERT, values)
    updated = [(known[row.fields.external_id], row) for row in differing]
    return PageOutcome(fetched, created, updated, fetched - len(created) - len(updated))


def _compared(connector_id: UUID, rows: Sequence[Row]) -> dict[str, tuple[int, bool]]:
    """By external id what is stored already: its id, and whether it is as the page has it."""
    page = msgspec.json.encode({row.fields.external_id: row.digest for row in rows})
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED, [page.decode("utf-8"), connector_id])
        return {external_id: (record_id, is_same) for external_id, record_id, is_same in cursor.fetchall()}


def _known(connector_id: UUID, external_ids: list[str]) -> dict[str, Known]:
    if not external_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [connector_id, external_ids])
        return {row[0]: Known(*row[1:]) for row in cursor.fetchall()}


def _row(record: ProviderRecord, month: bytes) -> Row:
    problem = _problem(record)
    if problem:
        raise ProviderError(f"The provider sent a record that can't be taken: {problem}.", is_permanent=True)
    fields = Fields(
        record.external_id,
        record.kind.value,
        record.description.replace("\x00", ""),
        # One moment has one text, whatever zone the provider writes it in.
        record.occurred_at.astimezone(UTC),
        _quantity_text(record.quantity),
        record.unit.replace("\x00", ""),
        record.amount_minor,
        record.currency,
        record.category.value,
        record.status.replace("\x00", ""),
        msgspec.Raw(_raw_text(record.raw)),
    )
    text = _ENCODER.encode(fields)
    digest = hashlib.blake2b(month + text, digest_size=16).hexdigest()
    return Row(fields, digest, b'{"digest":"' + digest.encode("ascii") + b'",' + text[1:])


def _raw_text(raw: Mapping[str, object]) -> bytes:
    try:
        text = _ENCODER.encode(dict(raw))
    except OverflowError:
        # An integer beyond 64 bits, which the quick encoder doesn't write.
        text = json.dumps(dict(raw), default=str, sort_keys=True).encode("ascii")
    return _ESCAPED_NUL.sub(rb"\1", text) if b"\\u0000" in text else text


def _quantity_text(quantity: Decimal | None) -> str:
    # 1.5 and 1.50 are one quantity.
    return "" if quantity is None else f"{quantity.normalize():f}"


def _problem(record: ProviderRecord) -> str:
    """What is wrong with the record, in words; empty where nothing is."""
    name = record.external_id[:80]
    if not 0 < len(record.external_id) <= _LONGEST_ID or "\x00" in record.external_id:
        return f"its id {name!r} is empty or too long"
    if record.occurred_at.utcoffset() is None:
        return f"{name!r} has a time without a zone"
    if not FIRST_YEAR <= record.occurred_at.year <= LAST_YEAR:
        return f"the time of {name!r} {BOUNDS_IN_WORDS.removesuffix('.')}"
    if max(len(record.unit), len(record.status)) > _LONGEST_WORD:
        return f"{name!r} has a unit or a status of more than {_LONGEST_WORD} characters"
    return _problem_of_figures(record, name)


def _problem_of_figures(record: ProviderRecord, name: str) -> str:
    if (record.amount_minor is None) != (record.currency == ""):
        return f"{name!r} has an amount without a currency, or a currency without an amount"
    if record.amount_minor is not None and not abs(record.amount_minor) <= _LARGEST_AMOUNT:
        return f"{name!r} has an amount beyond all bounds"
    if record.currency and not _CURRENCY.fullmatch(record.currency):
        return f"{name!r} has the currency {record.currency[:8]!r}, which is no ISO code"
    if record.quantity is not None and not _is_storable(record.quantity):
        return f"{name!r} has a quantity that is no number within bounds"
    return ""


def _is_storable(quantity: Decimal) -> bool:
    # Asked before it is written out: the exponent of a hostile one could be a billion.
    is_near = quantity.is_finite() and -_FURTHEST < quantity.adjusted() < _FURTHEST
    return is_near and bool(_QUANTITY.fullmatch(_quantity_text(quantity)))
