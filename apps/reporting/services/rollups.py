"""Keeps the rollups up to date (spec 07, Rollups).

Nothing is added to what is there: a piece of entries, or a month of a connector, is computed whole and written in place
of what it was, under the lock of the organization's `RollupState`. So doing it twice changes nothing, and whatever
becomes visible late is in the next computation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from apps.connectors.models import ChangedMonth, Connector
from apps.connectors.selectors.rollups import MONTHS_OF_CONNECTORS, TAKE_CHANGED_MONTHS
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.moments import zone_of
from apps.core.operations import require
from apps.credits.models import CreditAccount
from apps.reporting.models import BooksStatement, ConnectorRollup, CreditRollup, RollupState
from apps.reporting.rules.pieces import MOST_ENTRIES, cut_pieces
from apps.reporting.selectors.lines import (
    ENTRY_SPAN,
    ENTRY_SUMS,
    RECORD_SPAN,
    RECORD_SUMS,
    ConnectorMonth,
    EntryPart,
    by_zone,
    days_of_lines,
    entry_parameters,
    fetch,
    record_parameters,
)
from apps.reporting.selectors.states import states_for_update

# Organizations of one transaction, entries of one statement, and entries after which a run leaves the rest to the next.
_LIST, _MOST_AT_ONCE, _MOST_A_RUN = 200, 20 * MOST_ENTRIES, 100 * MOST_ENTRIES
_WRITE_ENTRY_SUMS = f"""
    INSERT INTO reporting_creditrollup (account_id, first_sequence, recorded_on, occurred_on, kind, workspace_id,
        product_id, operation, category, quantity, amount, count) {ENTRY_SUMS}
"""
_WRITE_RECORD_SUMS = f"""
    INSERT INTO reporting_connectorrollup (account_id, workspace_id, connector_id, month, occurred_on, kind, unit,
        category, currency, quantity, amount, count) {RECORD_SUMS}
"""
_CLEAR_PIECES = """
    DELETE FROM reporting_creditrollup AS stored
    USING unnest(%(accounts)s::uuid[], %(firsts)s::bigint[]) AS part (account_id, first_sequence)
    WHERE stored.account_id = part.account_id AND stored.first_sequence = part.first_sequence
"""
_CLEAR_MONTHS = """
    DELETE FROM reporting_connectorrollup AS stored
    USING unnest(%(connectors)s::uuid[], %(months)s::text[]) AS part (connector_id, month)
    WHERE stored.connector_id = part.connector_id AND stored.month = part.month
"""


@dataclass(slots=True)
class _Done:
    """What a run did."""

    entries: int = 0
    months: int = 0
    rebuilt: int = 0


def rollups_refresh(
    context: ExecutionContext, *, organization_id: OrganizationId | None = None, most_entries: int = _MOST_A_RUN
) -> dict[str, int]:
    """Bring the rollups up to date, of demo organizations too, as nothing leaves us; returns counts for people.

    One run takes about `most_entries` entries; the next goes on. Organizations whose zone changed are computed afresh.
    """
    require(context, "jobs.refresh_rollups")
    _begin_states(organization_id)
    done, lists, organizations = _Done(), RecordErrors("lists"), RecordErrors("organizations")
    behind = _behind(organization_id)
    for start in range(0, len(behind), _LIST):
        if done.entries >= most_entries:
            break
        ids, failed = behind[start : start + _LIST], len(lists.failed)
        with lists.record(ids[0]):
            _refresh(ids, done)
        # One that can't be rolled up holds back no other of its list.
        for account_id in ids if len(lists.failed) > failed else ():
            with organizations.record(account_id):
                _refresh([account_id], done)
    for account_id in _of_another_zone(organization_id):
        with organizations.record(account_id):
            rollups_rebuild(context, account_id=account_id)
            done.rebuilt += 1
    organizations.finish()
    return {"entries": done.entries, "months": done.months, "rebuilt": done.rebuilt}


def rollups_rebuild(context: ExecutionContext, *, account_id: UUID) -> None:
    """Compute all rollups of an organization afresh, in the zone it has now. Readers see the old ones meanwhile."""
    require(context, "jobs.refresh_rollups")
    _begin_states(OrganizationId(account_id))
    with transaction.atomic():
        state = states_for_update([account_id])[0]
        state.zone = state.account.organization.time_zone
        CreditRollup.objects.filter(account_id=account_id).delete()
        ConnectorRollup.objects.filter(account_id=account_id).delete()
        BooksStatement.objects.filter(account_id=account_id).delete()
        state.last_sequence, state.piece_first = 0, 1
        _roll_up([state], _Done(), most=None)
        connectors = _connectors_of([account_id])
        fetch(TAKE_CHANGED_MONTHS, [list(connectors)])
        _write_months([state], connectors, fetch(MONTHS_OF_CONNECTORS, [list(connectors)]))


def _begin_states(organization_id: OrganizationId | None) -> None:
    accounts = CreditAccount.objects.filter(rollup_state=None)
    if organization_id is not None:
        accounts = accounts.filter(pk=organization_id)
    today = clock.now().date()
    RollupState.objects.bulk_create(
        [
            RollupState(account_id=account_id, zone=zone, piece_began_on=today)
            for account_id, zone in accounts.values_list("pk", "organization__time_zone")
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )


def _behind(organization_id: OrganizationId | None) -> list[UUID]:
    """The organizations with entries or records that are not in their rollups; looks at no entry."""
    states, notes = (
        RollupState.objects.filter(last_sequence__lt=F("account__last_sequence")),
        ChangedMonth.objects.all(),
    )
    if organization_id is not None:
        states = states.filter(pk=organization_id)
        notes = notes.filter(connector__workspace__organization=organization_id)
    noted = notes.values_list("connector__workspace__organization_id", flat=True)
    return sorted({*states.values_list("pk", flat=True), *noted.distinct()})


def _of_another_zone(organization_id: OrganizationId | None) -> list[UUID]:
    states = RollupState.objects.exclude(zone=F("account__organization__time_zone"))
    if organization_id is not None:
        states = states.filter(pk=organization_id)
    return list(states.values_list("pk", flat=True))


def _refresh(ids: list[UUID], done: _Done) -> None:
    with transaction.atomic():
        states = states_for_update(ids)
        _roll_up(states, done, most=_MOST_AT_ONCE)
        connectors = _connectors_of([state.pk for state in states])
        months = sorted(set(fetch(TAKE_CHANGED_MONTHS, [list(connectors)])))
        _write_months(states, connectors, months)
        done.months += len(months)


def _roll_up(states: Sequence[RollupState], done: _Done, *, most: int | None) -> None:
    """Roll the locked accounts up to their last entries, or each by at most `most` entries."""
    today = clock.now().date()
    # Read after the locks: whoever wrote an entry before is in it.
    last_sequences = dict(
        CreditAccount.objects.filter(pk__in=[state.pk for state in states]).values_list("pk", "last_sequence")
    )
    parts: list[tuple[str, EntryPart]] = []
    for state in states:
        rolled = state.last_sequence
        last = last_sequences[state.pk] if most is None else min(last_sequences[state.pk], rolled + most)
        pieces = cut_pieces(
            piece_first=state.piece_first, rolled=rolled, last=last, is_new_day=state.piece_began_on != today
        )
        parts += [(state.zone, EntryPart(state.pk, piece.first, piece.last)) for piece in pieces]
        if pieces:
            if pieces[-1].first != state.piece_first or rolled == 0:
                state.piece_began_on = today
            state.piece_first, state.last_sequence = pieces[-1].first, last
            done.entries += last - rolled
    for zone, zone_parts in by_zone(parts).items():
        for some in _some_at_once(zone_parts):
            _write_entries(zone, some)
    RollupState.objects.bulk_update(states, ["zone", "last_sequence", "piece_first", "piece_began_on"], batch_size=500)


def _some_at_once(parts: Sequence[EntryPart]) -> Iterator[list[EntryPart]]:
    some: list[EntryPart] = []
    entries = 0
    for part in parts:
        some.append(part)
        entries += part.last - part.first + 1
        if entries >= _MOST_AT_ONCE:
            yield some
            some, entries = [], 0
    if some:
        yield some


def _write_entries(zone: str, parts: Sequence[EntryPart]) -> None:
    parameters = entry_parameters(parts)
    days = days_of_lines(ENTRY_SPAN, parameters, zone_of(zone))
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR_PIECES, parameters)
        if days:
            cursor.execute(_WRITE_ENTRY_SUMS, parameters | days)


def _connectors_of(account_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, UUID]]:
    """The connectors of the organizations, each with its organization and workspace."""
    rows = Connector.objects.filter(workspace__organization__in=account_ids)
    return {
        connector_id: (organization_id, workspace_id)
        for connector_id, organization_id, workspace_id in rows.values_list(
            "pk", "workspace__organization_id", "workspace_id"
        )
    }


def _write_months(
    states: Sequence[RollupState],
    connectors: dict[UUID, tuple[UUID, UUID]],
    months: Sequence[tuple[UUID, str]],
) -> None:
    zones = {state.pk: state.zone for state in states}
    parts = [
        (zones[connectors[connector_id][0]], ConnectorMonth(*connectors[connector_id], connector_id, month))
        for connector_id, month in months
    ]
    for zone, zone_parts in by_zone(parts).items():
        parameters = record_parameters(zone_parts)
        days = days_of_lines(RECORD_SPAN, parameters, zone_of(zone))
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR_MONTHS, parameters)
            if days:
                cursor.execute(_WRITE_RECORD_SUMS, parameters | days)
