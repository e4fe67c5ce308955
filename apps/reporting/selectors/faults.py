"""Compares the rollups of an organization with its entries and records, computed afresh (spec 07, Rollups)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.connectors.models import ChangedMonth, Connector
from apps.connectors.selectors.rollups import MONTHS_OF_CONNECTORS
from apps.core.moments import zone_of
from apps.core.pieces import in_pieces
from apps.reporting.models import RollupState
from apps.reporting.selectors.lines import (
    ENTRY_SPAN,
    ENTRY_SUMS,
    RECORD_SPAN,
    RECORD_SUMS,
    ConnectorMonth,
    EntryPart,
    days_of_lines,
    entry_parameters,
    fetch,
    record_parameters,
)
from apps.reporting.selectors.states import states_for_update

_ENTRY_WORDS = "recorded_on, occurred_on, kind, workspace_id, product_id, operation, category"
_RECORD_WORDS = "workspace_id, connector_id, month, occurred_on, kind, unit, category, currency"
_FIGURES = "SUM(quantity::numeric) AS quantity, SUM(amount::numeric) AS amount, SUM(count) AS count"
_DIFFERENCES = """
        SELECT 'missing' AS side, * FROM (SELECT <words>, quantity, amount, count FROM (<sums>) AS afresh
            EXCEPT ALL SELECT <words>, <figures> FROM <table> WHERE <where> GROUP BY <words>) AS lost
        UNION ALL
        SELECT 'unfounded', * FROM (SELECT <words>, <figures> FROM <table> WHERE <where> GROUP BY <words>
            EXCEPT ALL SELECT <words>, quantity, amount, count FROM (<sums>) AS afresh) AS made_up
"""
_NO_DAYS: dict[str, Any] = {"starts": [], "days": []}


def _differences(words: str, sums: str, table: str, where: str) -> str:
    pieces = {"<words>": words, "<sums>": sums, "<table>": table, "<where>": where, "<figures>": _FIGURES}
    statement = _DIFFERENCES
    for name, text in pieces.items():
        statement = statement.replace(name, text)
    return statement


_FIRST = "SELECT * FROM ({}) AS found ORDER BY 2, 3, 4, 1 LIMIT 20"
_ENTRY_DIFFERENCES = _differences(
    _ENTRY_WORDS, ENTRY_SUMS, "reporting_creditrollup", "account_id = ANY(%(accounts)s::uuid[])"
)
# A month that is noted as changed is not added up yet, and is read from its records meanwhile.
_RECORD_DIFFERENCES = _differences(
    _RECORD_WORDS,
    RECORD_SUMS,
    "reporting_connectorrollup",
    """account_id = %(account)s AND NOT EXISTS (
        SELECT FROM unnest(%(noted_connectors)s::uuid[], %(noted_months)s::text[]) AS noted (connector_id, month)
        WHERE noted.connector_id = reporting_connectorrollup.connector_id
            AND noted.month = reporting_connectorrollup.month)""",
)

_ENTRY_DAYS = f"SELECT DISTINCT recorded_on, occurred_on FROM ({_ENTRY_DIFFERENCES}) AS found"  # noqa: S608 - constants alone
_RECORD_DAYS = f"SELECT DISTINCT occurred_on FROM ({_RECORD_DIFFERENCES}) AS found"  # noqa: S608 - constants alone


def rollup_faults(account_id: UUID) -> list[str]:
    """What is wrong with an organization's rollups, in words; nothing when they are sound or not begun."""
    with transaction.atomic():
        states = states_for_update([account_id])
        return [*_entry_faults(states[0]), *_record_faults(states[0])] if states else []


def wrong_days(account_id: UUID) -> list[date]:
    """The days of an organization whose rollups are not what they should be, in order; those of its rollups' zone."""
    with transaction.atomic():
        found = set[date]()
        for state in states_for_update([account_id]):
            for recorded_on, occurred_on in fetch(_ENTRY_DAYS, _entry_parameters(state)):
                found |= {recorded_on, occurred_on}
            found |= {occurred_on for (occurred_on,) in fetch(_RECORD_DAYS, _record_parameters(state))}
        return sorted(found)


def all_rollup_faults() -> Iterator[str]:
    """What is wrong with the rollups of every organization: what the nightly look at the books asks."""
    for state in in_pieces(RollupState.objects.only("pk")):
        for fault in rollup_faults(state.pk):
            yield f"rollups of organization {state.pk}: {fault}"


def _entry_faults(state: RollupState) -> list[str]:
    if state.last_sequence > state.account.last_sequence:
        return [f"rolled up to entry {state.last_sequence}, which is not there"]
    return [
        f"{side}: {operation or kind} {category} of {occurred_on}, recorded on {recorded_on}: "
        f"quantity {quantity}, amount {amount}, count {count}"
        for side, recorded_on, occurred_on, kind, _, _, operation, category, quantity, amount, count in fetch(
            _FIRST.format(_ENTRY_DIFFERENCES), _entry_parameters(state)
        )
    ]


def _entry_parameters(state: RollupState) -> dict[str, Any]:
    parameters = entry_parameters([EntryPart(state.pk, 1, state.last_sequence)])
    return parameters | (days_of_lines(ENTRY_SPAN, parameters, zone_of(state.zone)) or _NO_DAYS)


def _record_parameters(state: RollupState) -> dict[str, Any]:
    connectors = dict(Connector.objects.filter(workspace__organization=state.pk).values_list("pk", "workspace_id"))
    noted = set(ChangedMonth.objects.filter(connector__in=connectors).values_list("connector_id", "month"))
    months = [
        ConnectorMonth(state.pk, connectors[connector_id], connector_id, month)
        for connector_id, month in fetch(MONTHS_OF_CONNECTORS, [list(connectors)])
        if (connector_id, month) not in noted
    ]
    parameters = record_parameters(months)
    days = days_of_lines(RECORD_SPAN, parameters, zone_of(state.zone)) or _NO_DAYS
    parameters |= {
        "account": state.pk,
        "noted_connectors": [connector_id for connector_id, _ in noted],
        "noted_months": [month for _, month in noted],
    }
    return parameters | days


def _record_faults(state: RollupState) -> list[str]:
    return [
        f"{side}: {kind} {unit} {currency} {category} of {occurred_on}, connector {connector_id}, month {month}: "
        f"quantity {quantity}, amount {amount}, count {count}"
        for side, _, connector_id, month, occurred_on, kind, unit, category, currency, quantity, amount, count in fetch(
            _FIRST.format(_RECORD_DIFFERENCES), _record_parameters(state)
        )
    ]
