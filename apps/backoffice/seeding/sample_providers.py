"""What the sample connectors of Northwind read: records as Stripe and a usage feed have them, computed from the month.

The same month has the same records for ever; the month that runs has those until now. They stand in for a provider
while the sample is made, and nowhere else: nothing is asked of anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind
from apps.core import clock
from apps.core.enums import UsageCategory

_BUYERS = ("Contoso", "Fabrikam", "Adventure Works", "Litware", "Tailspin", "Proseware")
_INVOICE_DAYS = (1, 4, 9, 13, 18, 24)
_FEED_DAYS = 28
_REFUNDED = 3  # of the invoices, the one that is given back in part
_PRICE_OF_HOUR = 42


class _SampleProvider(Provider):
    """One page a month, without what has not happened yet."""

    credential_kind = CredentialKind.NONE

    def check(self) -> CheckResult:
        return CheckResult("sample data; nothing leaves the building")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        return RecordPage(tuple(record for record in self._records(month) if record.occurred_at <= clock.now()))

    def _records(self, month: Month) -> Iterator[ProviderRecord]:
        raise NotImplementedError


class SampleStripe(_SampleProvider):
    """Six invoices a month with two lines each; one is given back in part, with a credit note and a refund."""

    name = "sample_stripe"
    label = "Stripe"

    def _records(self, month: Month) -> Iterator[ProviderRecord]:
        for place, day in enumerate(_INVOICE_DAYS):
            at = month.starts_at() + timedelta(days=day - 1, hours=9 + place, minutes=7 * place)
            seats = (month.number * 5 + place * 7) % 12 + 3
            lines = (("Seats", seats, seats * 2_900), ("Support", 1, 14_900 + place * 1_000))
            invoice = f"in_{month}_{place + 1}".replace("-", "")
            total = sum(amount for _, _, amount in lines)
            words = f"Invoice for {_BUYERS[place]}"
            yield _money(invoice, RecordKind.INVOICE, words, at, total, status="paid")
            for name, quantity, amount in lines:
                line = f"{invoice}/il_{name.lower()}"
                yield _money(line, RecordKind.LINE, f"{name}, {_BUYERS[place]}", at, amount, quantity, "paid")
            if place == _REFUNDED:
                later, back = at + timedelta(days=2), -lines[0][2] // 2
                yield _money(f"cn_{invoice}", RecordKind.CREDIT_NOTE, f"Credit note, {_BUYERS[place]}", later, back)
                yield _money(f"re_{invoice}", RecordKind.REFUND, f"Refund to {_BUYERS[place]}", later, back)


class SampleFeed(_SampleProvider):
    """Hours of two machines a day, with what they cost."""

    name = "sample_feed"
    label = "Usage feed"

    def _records(self, month: Month) -> Iterator[ProviderRecord]:
        for day in range(_FEED_DAYS):
            for machine, category in (("render", UsageCategory.REGULAR), ("test", UsageCategory.INTERNAL)):
                hours = (month.number * 7 + day * 13 + len(machine)) % 24 + 1
                yield ProviderRecord(
                    external_id=f"{machine}-{month}-{day + 1:02d}",
                    kind=RecordKind.USAGE,
                    description=f"Machine {machine}, day {day + 1}",
                    occurred_at=month.starts_at() + timedelta(days=day, hours=12),
                    quantity=Decimal(hours),
                    unit="hour",
                    amount_minor=hours * _PRICE_OF_HOUR,
                    currency="EUR",
                    category=category,
                )


def _money(
    name: str, kind: RecordKind, words: str, at: datetime, amount: int, quantity: int | None = None, status: str = ""
) -> ProviderRecord:
    return ProviderRecord(
        external_id=name,
        kind=kind,
        description=words,
        occurred_at=at,
        quantity=Decimal(quantity) if quantity is not None else None,
        amount_minor=amount,
        currency="EUR",
        status=status,
    )
