"""The bodies of the usage API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from apps.connectors.enums import ConnectorStatus
from apps.core.enums import UsageCategory
from apps.core.wire.fields import StrictBooleanField, StrictCharField, StrictChoiceField, StrictUUIDField
from apps.core.wire.serializers import AnswerSerializer, StrictSerializer
from apps.reporting.rules.usage import plain
from apps.reporting.rules.windows import Timeframe, TimeWindow
from apps.reporting.selectors.usage_report import UsageReport, UsageRow


class UsageBody(StrictSerializer):
    time_window = StrictChoiceField(TimeWindow, required=False)


class TimeframeFields(AnswerSerializer):
    timeframe_start = StrictCharField(help_text="A day of the zone, inclusive.")
    timeframe_end = StrictCharField(help_text="A day of the zone, exclusive.")
    partial = StrictBooleanField(  # type: ignore[assignment] # a declared field leaves the class
        help_text="Whether the timeframe is still running: the last one of the window is."
    )


class QuantityAnswer(TimeframeFields):
    quantity = StrictCharField(help_text="A decimal number, as exact as it was reported.")


class ChargeAnswer(TimeframeFields):
    charge = StrictCharField(help_text="Credits charged, less those given back.")


class AmountAnswer(TimeframeFields):
    amount_minor = StrictCharField(help_text="In minor units of the currency.")


class CategoriesAnswer(AnswerSerializer):
    free = QuantityAnswer(many=True)
    regular = QuantityAnswer(many=True)
    internal = QuantityAnswer(many=True)


class CurrencyAnswer(AnswerSerializer):
    currency = StrictCharField()
    timeframes = AmountAnswer(many=True)


class UsedConnectorAnswer(AnswerSerializer):
    id = StrictUUIDField()
    name = StrictCharField()
    provider = StrictCharField()
    status = StrictChoiceField(ConnectorStatus)


class UsageRowAnswer(AnswerSerializer):
    connector = UsedConnectorAnswer(allow_null=True)
    product = StrictCharField(allow_null=True)
    operation = StrictCharField(allow_null=True)
    unit = StrictCharField(allow_null=True)
    usage = CategoriesAnswer(help_text="Quantities on the day that they occurred; what was given back is taken off it.")
    charges = ChargeAnswer(many=True, help_text="Of an operation: credits, on the day that they were recorded.")
    amounts = CurrencyAnswer(many=True, help_text="Of a connector: money, each currency by itself.")


class UsageAnswer(AnswerSerializer):
    workspace_id = StrictUUIDField()
    time_window = StrictChoiceField(TimeWindow)
    time_zone = StrictCharField(help_text="The zone that the days are cut in.")
    data = UsageRowAnswer(many=True)  # type: ignore[assignment] # as above


def usage_values(workspace_id: Any, report: UsageReport) -> dict[str, Any]:
    """The report as the answer has it."""
    return {
        "workspace_id": workspace_id,
        "time_window": report.window,
        "time_zone": report.zone,
        "data": [_row(row, report.frames) for row in report.rows],
    }


def _row(row: UsageRow, frames: Sequence[Timeframe]) -> dict[str, Any]:
    return {
        "connector": row.connector
        and {
            "id": row.connector.pk,
            "name": row.connector.name,
            "provider": row.connector.provider,
            "status": row.connector.status,
        },
        "product": row.product.slug if row.product else None,
        "operation": row.operation or None,
        "unit": row.unit or None,
        "usage": _categories(row.usage, frames),
        "charges": _framed(frames, row.charged, "charge"),
        "amounts": [
            {"currency": currency, "timeframes": _framed(frames, figures, "amount_minor")}
            for currency, figures in row.amounts.items()
        ],
    }


def _categories(usage: Mapping[UsageCategory, Sequence[Decimal]], frames: Sequence[Timeframe]) -> dict[str, Any]:
    return {category.value: _framed(frames, figures, "quantity") for category, figures in usage.items()}


def _framed(frames: Sequence[Timeframe], figures: Sequence[Decimal], name: str) -> list[dict[str, Any]]:
    return [
        {
            "timeframe_start": frame.start.isoformat(),
            "timeframe_end": frame.end.isoformat(),
            "partial": frame is frames[-1],
            name: plain(figure),
        }
        for frame, figure in zip(frames if figures else (), figures, strict=True)
    ]
