"""The facts that the choice of months rests on, for one connector or for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apps.connectors.contracts import Month
from apps.connectors.models import Connector, MonthState
from apps.connectors.providers.registry import provider_classes
from apps.connectors.rules.months import (
    DEFAULT_LAG,
    MONTHS_BACK,
    MonthDecision,
    MonthFacts,
    MonthReading,
    month_of,
    select_months,
)
from apps.core.moments import FIRST_YEAR, zone_of


def month_facts(connectors: Sequence[Connector]) -> Mapping[UUID, MonthFacts]:
    """The facts of each connector; two queries however many there are. They come with workspace and organization."""
    readings: dict[UUID, dict[Month, MonthReading]] = defaultdict(dict)
    for state in MonthState.objects.filter(connector__in=[connector.pk for connector in connectors]):
        readings[state.connector_id][Month.read(state.month)] = MonthReading(state.read_at, state.reopened_at)
    return {connector.pk: _facts(connector, readings[connector.pk]) for connector in connectors}


def month_decisions(connector: Connector, now: datetime) -> list[MonthDecision]:
    """What is decided about each month of the connector, oldest first."""
    return select_months(month_facts([connector])[connector.pk], now)


def _facts(connector: Connector, readings: dict[Month, MonthReading]) -> MonthFacts:
    zone = zone_of(connector.workspace.organization.time_zone)
    provider = provider_classes().get(connector.provider)
    return MonthFacts(
        zone=zone,
        settlement_lag=provider.settlement_lag if provider else DEFAULT_LAG,
        # From when it was made and not from now: else an outage of years would lose months.
        first_month=max(month_of(connector.created_at, zone).shifted(-MONTHS_BACK), Month(FIRST_YEAR, 1)),
        readings=readings,
    )
