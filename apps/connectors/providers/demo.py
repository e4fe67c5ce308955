"""The built-in provider of sample data, for demo organizations alone (spec 02, Demo tenants; spec 06).

Its records are computed from the month: the same month has the same records for ever, so that a demo can be synced
again. Each says that it is sample data. Nothing leaves the building.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind
from apps.core.enums import UsageCategory

_PAGES = 3
_DAYS_A_PAGE = 9
_CATEGORIES = (UsageCategory.REGULAR, UsageCategory.REGULAR, UsageCategory.FREE, UsageCategory.INTERNAL)


class DemoProvider(Provider):
    """27 days of usage and their cost, in three pages."""

    name: ClassVar[str] = "demo"
    label: ClassVar[str] = "Demo"
    brings: ClassVar[str] = "labelled sample data"
    credential_kind: ClassVar[CredentialKind] = CredentialKind.NONE
    is_demo: ClassVar[bool] = True

    def check(self) -> CheckResult:
        return CheckResult("sample data; nothing leaves the building")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        page = int(cursor or 0)
        days = range(page * _DAYS_A_PAGE, (page + 1) * _DAYS_A_PAGE)
        records = tuple(_record(month, day) for day in days)
        return RecordPage(records, str(page + 1) if page + 1 < _PAGES else None)


def _record(month: Month, day: int) -> ProviderRecord:
    hours = (month.number * 7 + day * 13) % 24 + 1
    return ProviderRecord(
        external_id=f"demo-{month}-{day + 1:02d}",
        kind=RecordKind.USAGE,
        description=f"Sample data: compute on day {day + 1}",
        occurred_at=month.starts_at() + timedelta(days=day, hours=12),
        quantity=Decimal(hours),
        unit="hour",
        amount_minor=hours * 125,
        currency="EUR",
        category=_CATEGORIES[day % len(_CATEGORIES)],
        status="final",
        raw={"sample": True, "day": day + 1},
    )
