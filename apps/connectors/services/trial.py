"""Tries a connector for a person: what its source answers now, and what of that was understood (spec 06, Connector)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from apps.connectors.contracts import LatestAnswer, Month, MonthBounds, ProviderError, ProviderRecord, find_problem
from apps.connectors.ids import ConnectorId
from apps.connectors.providers.registry import open_provider
from apps.connectors.rules.months import MonthFrame, month_of
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.services.credentials import secret_for_call
from apps.connectors.services.lifecycle import EDIT
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.core.operations import require
from apps.subscriptions.services import lifecycle_require

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TriedRecord:
    """A record as it was understood, and the month that it would belong to."""

    record: ProviderRecord
    month: Month


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `error` says what can't be used; `answer` is what the source said, where it is a text."""

    month: Month
    answer: LatestAnswer | None
    records: tuple[TriedRecord, ...] = ()
    found: int = 0
    has_more: bool = False
    error: str = ""


def connector_try(context: ExecutionContext, *, connector_id: ConnectorId) -> Trial:
    """Ask for the first page of the current month. Nothing is stored.

    Raises `ForbiddenError`, also `lifecycle_denied`; `NotFoundError` `unknown_connector`.
    """
    require(context, EDIT)
    connector = connector_of(connector_id)
    lifecycle_require(context, workspace_id=WorkspaceId(connector.workspace_id), operation=EDIT)
    organization = connector.workspace.organization
    zone = zone_of(organization.time_zone)
    month = month_of(clock.now(), zone)
    try:
        secret = None if organization.is_demo else secret_for_call(context, connector_id=connector_id)
        provider = open_provider(
            connector.provider, secret, connector.settings, is_demo=organization.is_demo, zone=zone
        )
    except ProviderError as error:
        return Trial(month, None, error=error.sentence)
    zones = {MonthBounds.ORGANIZATION: zone, MonthBounds.UTC: UTC, MonthBounds.PROVIDER: None}
    frame = MonthFrame.of(month, zones[provider.month_bounds])
    try:
        page = provider.fetch_month(month)
        tried = tuple(_understand(record, frame) for record in page.records)
    except ProviderError as error:
        return Trial(month, provider.latest_answer, error=error.sentence)
    return Trial(month, provider.latest_answer, tried[:_SHOWN], len(tried), page.next_cursor is not None)


def _understand(record: ProviderRecord, frame: MonthFrame) -> TriedRecord:
    problem = find_problem(record)
    month = None if problem else frame.month_of(record.occurred_at)
    if month is None:
        problem = problem or (
            f"{record.external_id[:80]!r} occurred on {record.occurred_at:%Y-%m-%d}, and {frame.asked} was asked for"
        )
        raise ProviderError(f"A record can't be taken: {problem}.", is_permanent=True)
    return TriedRecord(record, month)
