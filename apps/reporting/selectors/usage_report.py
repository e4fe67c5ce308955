"""The usage of a window: for each operation and connector its quantities by timeframe and category (spec 07, Usage)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from apps.connectors.enums import ConnectorStatus, RecordKind
from apps.connectors.models import Connector
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import UsageCategory
from apps.core.ids import OrganizationId, ProductId, WorkspaceId
from apps.core.moments import zone_of
from apps.credits.selectors.policies import priced_operations
from apps.reporting.rules.usage import add_up
from apps.reporting.rules.windows import Timeframe, TimeWindow, timeframes
from apps.reporting.selectors.usage import (
    ConnectorUsage,
    CreditUsage,
    Span,
    ZoneChangedError,
    connector_usage,
    credit_usage,
    zone_of_rollups,
)
from apps.tenants.models import Product

_TRIES = 3
Figures = Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One product operation, or one unit of a connector: its figures in each timeframe.

    Quantities are whole units by category; `charged` is credits, of an operation alone; `amounts` are minor units by
    currency, of a connector alone.
    """

    connector: Connector | None
    product: Product | None
    operation: str
    unit: str
    usage: Mapping[UsageCategory, Figures]
    charged: Figures = ()
    amounts: Mapping[str, Figures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The rows of a window, and the zone that its timeframes were cut in."""

    window: TimeWindow
    zone: str
    frames: Sequence[Timeframe]
    rows: Sequence[UsageRow]
    lines: Sequence[CreditUsage]


def usage_report(
    organization_id: OrganizationId,
    workspace_id: WorkspaceId | None,
    window: TimeWindow,
    *,
    product_id: ProductId | None = None,
    database: str = DEFAULT_DB_ALIAS,
) -> UsageReport:
    """The usage of a workspace, or of the whole organization; with a product, of its operations alone."""
    for _ in range(_TRIES - 1):
        try:
            return _read(organization_id, workspace_id, window, product_id, database)
        except ZoneChangedError:
            continue
    return _read(organization_id, workspace_id, window, product_id, database)


def _read(
    organization_id: OrganizationId,
    workspace_id: WorkspaceId | None,
    window: TimeWindow,
    product_id: ProductId | None,
    database: str,
) -> UsageReport:
    zone = zone_of_rollups(organization_id, database)
    frames = timeframes(window, clock.now().astimezone(zone_of(zone)).date())
    span = Span(organization_id, workspace_id, zone, frames[0].start, frames[-1].end, database)
    lines = [line for line in credit_usage(span) if product_id in {None, line.product_id}]
    rows = [*_operations(organization_id, frames, lines, product_id), *_connectors(span, frames)]
    return UsageReport(window, zone, frames, rows, lines)


def _operations(
    organization_id: OrganizationId,
    frames: Sequence[Timeframe],
    lines: Sequence[CreditUsage],
    product_id: ProductId | None,
) -> list[UsageRow]:
    related = Product.objects.filter(relations__organization=organization_id)
    products = {product.pk: product for product in related | Product.objects.filter(pk__in={*_products_of(lines)})}
    if product_id is not None:
        products = {key: product for key, product in products.items() if key == product_id}
    prices = priced_operations(list(products), clock.now())
    used = add_up(
        frames,
        (((line.product_id, line.operation, line.category), line.day, Decimal(line.quantity)) for line in lines),
    )
    charged = add_up(frames, (((line.product_id, line.operation), line.day, Decimal(line.charge)) for line in lines))
    current = {key for key, price in prices.items() if price.is_current}
    shown = {(key[0], key[1]) for key in used} | charged.keys() | current
    named = [
        (products[found], found, operation) for found, operation in shown if found is not None and found in products
    ]
    return [
        UsageRow(
            connector=None,
            product=product,
            operation=operation,
            unit=prices[found, operation].unit if (found, operation) in prices else "",
            usage={
                category: _in_units(used.get((found, operation, category.value)), frames) for category in UsageCategory
            },
            charged=_in_units(charged.get((found, operation)), frames),
        )
        for product, found, operation in sorted(named, key=lambda name: (name[0].slug, name[2]))
    ]


def _products_of(lines: Sequence[CreditUsage]) -> set[UUID]:
    return {line.product_id for line in lines if line.product_id is not None}


def _in_units(figures: Figures | None, frames: Sequence[Timeframe]) -> Figures:
    return [figure / MICRO for figure in figures] if figures else [Decimal(0)] * len(frames)


def _connectors(span: Span, frames: Sequence[Timeframe]) -> list[UsageRow]:
    lines = connector_usage(span)
    quantities = add_up(
        frames,
        (
            ((line.connector_id, line.unit, line.category), line.day, line.quantity)
            for line in lines
            if line.kind == RecordKind.USAGE
        ),
    )
    money = add_up(
        frames,
        (
            ((line.connector_id, line.unit, line.currency), line.day, Decimal(line.amount))
            for line in lines
            if line.currency
        ),
    )
    connectors = Connector.objects.filter(workspace__organization=span.organization_id).order_by("name", "pk")
    if span.workspace_id is not None:
        connectors = connectors.filter(workspace=span.workspace_id)
    rows = []
    for connector in connectors:
        units = sorted({line.unit for line in lines if line.connector_id == connector.pk})
        if not units and connector.status == ConnectorStatus.ENABLED:
            units = [""]
        rows += [_connector_row(connector, unit, lines, quantities, money, frames) for unit in units]
    return rows


def _connector_row(
    connector: Connector,
    unit: str,
    lines: Sequence[ConnectorUsage],
    quantities: Mapping[tuple[UUID, str, str], Figures],
    money: Mapping[tuple[UUID, str, str], Figures],
    frames: Sequence[Timeframe],
) -> UsageRow:
    nothing = [Decimal(0)] * len(frames)
    currencies = sorted({
        line.currency for line in lines if line.connector_id == connector.pk and line.unit == unit and line.currency
    })  # fmt: skip
    return UsageRow(
        connector=connector,
        product=None,
        operation="",
        unit=unit,
        usage={category: quantities.get((connector.pk, unit, category.value), nothing) for category in UsageCategory},
        amounts={currency: money[connector.pk, unit, currency] for currency in currencies},
    )
