"""What was spent in a window, added up by operation, product, workspace and timeframe."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from apps.core.amounts import show_column, show_micro
from apps.core.texts import name_operation, name_units
from apps.reporting.charts import timeframe_name
from apps.reporting.selectors.usage import CreditUsage
from apps.reporting.selectors.usage_report import UsageReport

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """One line of a table: what, how much of it where one unit counts, how many runs, and the credits charged."""

    name: str
    note: str
    quantity: str
    runs: str
    credits: str


@dataclass(frozen=True, slots=True)
class SpendingTable:
    """The rows, those that cost most first; timeframes in their order, the newest first."""

    title: str
    head: str
    rows: Sequence[SpendingRow]


@dataclass(frozen=True, slots=True)
class Spending:
    """All tables of a window, and their common total."""

    total: str
    runs: str
    tables: Sequence[SpendingTable]


def spending_of(report: UsageReport, workspaces: Mapping[Any, str], row_head: str) -> Spending:
    """Add up the report; by workspace only where `workspaces` names some."""
    lines = report.lines
    tables = [_by_operation(report)]
    products = {row.product.pk: row.product.name for row in report.rows if row.product}
    if len({line.product_id for line in lines}) > 1:
        tables.append(_by("By product", "Product", lines, lambda line: line.product_id, products, "No product"))
    if workspaces:
        names = workspaces
        missing = "Not tied to a workspace"
        tables.append(_by("By workspace", "Workspace", lines, lambda line: line.workspace_id, names, missing))
    tables.append(_by_timeframe(report, row_head))
    return Spending(
        total=show_micro(sum(line.charge for line in lines)),
        runs=f"{sum(line.count for line in lines):,}",
        tables=tables,
    )


def _by_operation(report: UsageReport) -> SpendingTable:
    named = {(row.product.pk, row.operation): row for row in report.rows if row.product}
    sums = _sums(report.lines, lambda line: (line.product_id, line.operation))
    rows = []
    for (key, (_, _, quantity)), (runs, shown) in zip(sums, _figures([found for _, found in sums]), strict=True):
        row = named.get((key[0], key[1])) if key[0] is not None else None
        unit = row.unit if row else ""
        number = show_micro(quantity)
        rows.append(
            SpendingRow(
                name=name_operation(key[1]),
                note=row.product.name if row and row.product else "No product",
                quantity=f"{number} {name_units(unit, is_one=number == '1')}".strip(),
                runs=runs,
                credits=shown,
            )
        )
    return SpendingTable("By operation", "Operation", rows)


def _by(
    title: str,
    head: str,
    lines: Sequence[CreditUsage],
    key: Callable[[CreditUsage], UUID | None],
    names: Mapping[Any, str],
    missing: str,
) -> SpendingTable:
    sums = _sums(lines, lambda line: names.get(key(line), missing))
    figures = _figures([found for _, found in sums])
    rows = [SpendingRow(name, "", "", runs, shown) for (name, _), (runs, shown) in zip(sums, figures, strict=True)]
    return SpendingTable(title, head, rows)


def _by_timeframe(report: UsageReport, row_head: str) -> SpendingTable:
    days = {frame: [0, 0, 0] for frame in report.frames}
    for line in report.lines:
        frame = next((found for found in report.frames if found.start <= line.day < found.end), None)
        if frame is not None:
            days[frame][0] += line.charge
            days[frame][1] += line.count
    used = [(frame, found) for frame, found in days.items() if any(found)][::-1]
    figures = _figures([found for _, found in used])
    rows = [
        SpendingRow(_capital(timeframe_name(frame, report.window)), "", "", runs, shown)
        for (frame, _), (runs, shown) in zip(used, figures, strict=True)
    ]
    return SpendingTable(f"By {row_head.lower()}", row_head, rows)


def _sums(lines: Sequence[CreditUsage], key: Callable[[CreditUsage], Key]) -> list[tuple[Key, list[int]]]:
    """Charge, runs and quantity of each key, those that cost most first."""
    sums: dict[Key, list[int]] = {}
    for line in lines:
        found = sums.setdefault(key(line), [0, 0, 0])
        found[0] += line.charge
        found[1] += line.count
        found[2] += line.quantity
    return sorted(sums.items(), key=lambda item: (-item[1][0], -item[1][1], str(item[0])))


def _figures(found: Sequence[Sequence[int]]) -> list[tuple[str, str]]:
    """Runs and credits of each, written alike."""
    charged = show_column([charge for charge, *_ in found])
    return [(f"{runs:,}", shown) for (_, runs, *_), shown in zip(found, charged, strict=True)]


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
