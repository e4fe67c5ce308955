"""Writes the records of a sync: the upsert of a page, adjustments of a final month, voiding (spec 06, Sync run).

Writing the same page again rewrites no record, so that a page may be delivered any number of times: those that are as
before are noted beside the run. Each write runs in the transaction that moves the run's cursor. A page travels to the
database as one JSON document, which costs a fraction of what an array for each column does. Late changes to a final
month are kept beside its records as adjustments, so that what was reported can be told from what is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Q

from apps.connectors.contracts import Month, ProviderError, ProviderRecord, find_problem, quantity_text
from apps.connectors.enums import AdjustmentKind
from apps.connectors.models import BillingRecord, RecordAdjustment
from apps.connectors.rules.months import MonthFrame
from apps.core.statements import fetch_all

# A NUL that JSON escapes, which no text of PostgreSQL holds; an escaped backslash before it is none.
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_ENCODER = msgspec.json.Encoder(enc_hook=str, order="deterministic")

_COMPARE = """
    SELECT page.external_id, stored.id, stored.digest = decode(page.digest, 'hex') AND stored.voided_at IS NULL
    FROM json_each_text($1::json) AS page (external_id, digest)
    JOIN connectors_billingrecord AS stored ON stored.connector_id = $2::uuid AND stored.external_id = page.external_id
"""
_LOCK_STORED = """
    SELECT external_id, voided_at IS NOT NULL, amount_minor, currency, quantity, month
    FROM connectors_billingrecord WHERE connector_id = %s AND external_id = ANY(%s)
    ORDER BY external_id FOR NO KEY UPDATE
"""
_NOTE_CHANGED = "INSERT INTO connectors_changedmonth (connector_id, month) SELECT %s, unnest(%s::text[])"
_NOTE_PAGE = """
    INSERT INTO connectors_seenrecords (run_id, record_ids, cursor_digest) VALUES (%s, %s::bigint[], %s)
    ON CONFLICT (run_id, cursor_digest) WHERE cursor_digest IS NOT NULL DO NOTHING
"""
_UPSERT = """
    INSERT INTO connectors_billingrecord AS stored (connector_id, month, seen_by, first_seen_at, changed_at,
        external_id, kind, description, occurred_at, quantity, unit, amount_minor, currency, category, status, raw,
        digest, asked_month)
    SELECT $1::uuid, page.month, $2::uuid, $3::timestamptz, $3::timestamptz,
        page.external_id, page.kind, page.description, page.occurred_at, page.quantity,
        page.unit, page.amount_minor, page.currency, page.category, page.status, page.raw, decode(page.digest, 'hex'),
        CASE WHEN page.month = $4::text THEN '' ELSE $4::text END
    FROM json_to_recordset($5::json) AS page (external_id text, kind text, description text, occurred_at timestamptz,
        quantity text, unit text, amount_minor bigint, currency text, category text, status text, raw jsonb,
        digest text, month text)
    -- In one order everywhere, so that two pages never wait for each other.
    ORDER BY page.external_id
    ON CONFLICT (connector_id, external_id) DO UPDATE SET
        month = EXCLUDED.month, seen_by = EXCLUDED.seen_by, changed_at = EXCLUDED.changed_at, kind = EXCLUDED.kind,
        description = EXCLUDED.description, occurred_at = EXCLUDED.occurred_at, quantity = EXCLUDED.quantity,
        unit = EXCLUDED.unit, amount_minor = EXCLUDED.amount_minor, currency = EXCLUDED.currency,
        category = EXCLUDED.category, status = EXCLUDED.status, raw = EXCLUDED.raw, digest = EXCLUDED.digest,
        voided_at = NULL, asked_month = EXCLUDED.asked_month
"""
# A record that the run wrote names it; one that it found as before is noted beside the run. A join, as a list of
# hundreds of thousands would be.
_VOID = """
    UPDATE connectors_billingrecord AS stored SET voided_at = %(at)s, changed_at = %(at)s
    WHERE connector_id = %(connector)s AND month = ANY(%(near)s) AND voided_at IS NULL AND seen_by <> %(run)s
        AND %(month)s = CASE WHEN asked_month = '' THEN month ELSE asked_month END
        AND NOT EXISTS (
            SELECT FROM (SELECT unnest(record_ids) AS id FROM connectors_seenrecords WHERE run_id = %(run)s) AS seen
            WHERE seen.id = stored.id)
"""
_VOID_AND_KEEP = """
    WITH gone AS (<void> RETURNING month, external_id, amount_minor, currency, quantity)
    INSERT INTO connectors_recordadjustment (connector_id, run_id, month, external_id, kind, amount_before,
        currency_before, quantity_before, amount_after, currency_after, quantity_after, noted_at)
    SELECT %(connector)s, %(run)s, month, external_id, %(kind)s, amount_minor, currency, quantity, NULL, '', '',
        %(at)s
    FROM gone ORDER BY external_id
""".replace("<void>", _VOID)


class RecordFields(msgspec.Struct, frozen=True, gc=False):
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


class RecordRow(msgspec.Struct, frozen=True, gc=False):
    """A record to write: its month, its fields, and all as JSON with their digest."""

    month: str
    fields: RecordFields
    digest: str
    text: bytes


@dataclass(frozen=True, slots=True)
class StoredFigures:
    """What was stored of a record before the page."""

    is_voided: bool
    amount_minor: int | None
    currency: str
    quantity: str
    month: str


@dataclass(frozen=True, slots=True)
class PageContext:
    """Which run writes a page, of which month that it asked for, and when."""

    connector_id: UUID
    run_id: UUID
    month: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PageResult:
    """What a page did: how many it delivered, and the rows that were new or differ, with what they were before."""

    fetched: int
    created: Sequence[RecordRow]
    updated: Sequence[tuple[StoredFigures, RecordRow]]
    unchanged: int


def make_rows(records: Iterable[ProviderRecord], frame: MonthFrame) -> list[RecordRow]:
    """The rows of a page, by external id; of two with the same id the later. Raises `ProviderError` for a bad one."""
    found = {record.external_id: record for record in records}
    return [_make_row(found[external_id], frame) for external_id in sorted(found)]


def write_page(place: PageContext, rows: Sequence[RecordRow], *, fetched: int, next_cursor: str | None) -> PageResult:
    """Write the rows; the caller holds the run's row in its transaction.

    Raises `ProviderError` where the next cursor came before in this run.
    """
    stored = _compare_with_stored(place.connector_id, rows)
    same = [record_id for record_id, is_same in stored.values() if is_same]
    created = [row for row in rows if row.fields.external_id not in stored]
    differing = [row for row in rows if not stored.get(row.fields.external_id, (0, True))[1]]
    # Locked and read again: what they were before is what is overwritten, whoever else writes.
    known = _lock_stored(place.connector_id, [row.fields.external_id for row in differing])
    with connection.cursor() as cursor:
        if same or next_cursor is not None:
            digest = None if next_cursor is None else hashlib.blake2b(next_cursor.encode(), digest_size=16).digest()
            cursor.execute(_NOTE_PAGE, [place.run_id, "{" + ",".join(map(str, same)) + "}", digest])
            if not cursor.rowcount:
                raise ProviderError(
                    "The provider's pages go in circles: a cursor came a second time.",
                    is_permanent=True,
                    code="cursor_repeats",
                )
        if created or differing:
            page = b"[" + b",".join([row.text for row in (*created, *differing)]) + b"]"
            values = [place.connector_id, place.run_id, place.at, place.month, page.decode("utf-8")]
            fetch_all(_UPSERT, values)
            # A record may have come from another month, which lost it.
            months = {figures.month for figures in known.values()} | {row.month for row in (*created, *differing)}
            cursor.execute(_NOTE_CHANGED, [place.connector_id, sorted(months)])
    updated = [(known[row.fields.external_id], row) for row in differing]
    return PageResult(fetched, created, updated, fetched - len(created) - len(updated))


def _compare_with_stored(connector_id: UUID, rows: Sequence[RecordRow]) -> dict[str, tuple[int, bool]]:
    """By external id what is stored already: its id, and whether it is as the page has it."""
    page = msgspec.json.encode({row.fields.external_id: row.digest for row in rows})
    found = fetch_all(_COMPARE, [page.decode("utf-8"), connector_id])
    return {external_id: (int(record_id), is_same == "t") for external_id, record_id, is_same in found}


def _lock_stored(connector_id: UUID, external_ids: list[str]) -> dict[str, StoredFigures]:
    if not external_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_STORED, [connector_id, external_ids])
        return {row[0]: StoredFigures(*row[1:]) for row in cursor.fetchall()}


def _make_row(record: ProviderRecord, frame: MonthFrame) -> RecordRow:
    problem = find_problem(record)
    if problem:
        raise ProviderError(f"The provider sent a record that can't be taken: {problem}.", is_permanent=True)
    found = frame.month_of(record.occurred_at)
    if found is None:
        raise ProviderError(
            f"The provider was asked for {frame.asked} and sent {record.external_id[:80]!r}, which occurred on "
            f"{record.occurred_at:%Y-%m-%d}. It must answer with the month that it is asked for.",
            is_permanent=True,
            code="wrong_month",
        )
    month = str(found)
    fields = RecordFields(
        record.external_id,
        record.kind.value,
        record.description.replace("\x00", ""),
        # One moment has one text, whatever zone the provider writes it in.
        record.occurred_at.astimezone(UTC),
        quantity_text(record.quantity),
        record.unit.replace("\x00", ""),
        record.amount_minor,
        record.currency,
        record.category.value,
        record.status.replace("\x00", ""),
        msgspec.Raw(_raw_text(record.raw)),
    )
    text = _ENCODER.encode(fields)
    digest = hashlib.blake2b(month.encode("ascii") + text, digest_size=16).hexdigest()
    return RecordRow(month, fields, digest, f'{{"month":"{month}","digest":"{digest}",'.encode("ascii") + text[1:])


def _raw_text(raw: Mapping[str, object]) -> bytes:
    try:
        text = _ENCODER.encode(dict(raw))
    except OverflowError:
        # An integer beyond 64 bits, which the quick encoder doesn't write.
        text = json.dumps(dict(raw), default=str, sort_keys=True).encode("ascii")
    return _ESCAPED_NUL.sub(rb"\1", text) if b"\\u0000" in text else text


def record_adjustments(place: PageContext, outcome: PageResult) -> int:
    """Keep what the page added and changed; returns how many. A change of words alone moves no figure, but counts."""
    kept = [_adjustment(place, row, AdjustmentKind.ADDED) for row in outcome.created]
    for known, row in outcome.updated:
        adjustment = _adjustment(place, row, AdjustmentKind.CHANGED)
        # A record that was voided counted for nothing.
        if not known.is_voided:
            adjustment.amount_before, adjustment.currency_before = known.amount_minor, known.currency
            adjustment.quantity_before = known.quantity
        kept.append(adjustment)
    RecordAdjustment.objects.bulk_create(kept, batch_size=1_000)
    return len(kept)


def _adjustment(place: PageContext, row: RecordRow, kind: AdjustmentKind) -> RecordAdjustment:
    return RecordAdjustment(
        connector_id=place.connector_id,
        run_id=place.run_id,
        month=row.month,
        external_id=row.fields.external_id,
        kind=kind,
        noted_at=place.at,
        amount_after=row.fields.amount_minor,
        currency_after=row.fields.currency,
        quantity_after=row.fields.quantity,
    )


def void_missing_records(place: PageContext, *, was_final: bool) -> int:
    """Void every record that a sync of this month has brought, and the run has neither written nor found as before;
    returns how many."""
    values: dict[str, Any] = {
        "at": place.at,
        "connector": place.connector_id,
        "month": place.month,
        "near": _near(place),
        "run": place.run_id,
        "kind": AdjustmentKind.VOIDED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_VOID_AND_KEEP if was_final else _VOID, values)
        voided = int(cursor.rowcount)
        if voided:
            cursor.execute(_NOTE_CHANGED, [place.connector_id, _near(place)])
    return voided


def count_records(place: PageContext) -> int:
    """How many live records the syncs of this month have brought."""
    rows = BillingRecord.objects.filter(connector=place.connector_id, month__in=_near(place), voided_at=None)
    return rows.filter(Q(asked_month="", month=place.month) | Q(asked_month=place.month)).count()


def _near(place: PageContext) -> list[str]:
    """The months that a record of an answer about this one can belong to."""
    month = Month.read(place.month)
    return [str(month.shifted(step)) for step in (-1, 0, 1)]
