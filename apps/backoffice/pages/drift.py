"""The drift page of a product: its disagreements by class and day, each count linked to its list (spec 05)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.backoffice.cells import badge, link, list_url
from apps.backoffice.panels import Fact, Panel
from apps.core import clock
from apps.credits.enums import DisagreementClass
from apps.credits.models import ShadowDisagreement
from apps.credits.selectors.drift import DAYS, Drift, drift_of
from apps.tenants.models import Product

_MEANINGS = {
    DisagreementClass.UNKNOWN_OPERATION: "The product uses an operation without a price.",
    DisagreementClass.MEMBERSHIP: "Only one side knows this person as a member.",
    DisagreementClass.VERDICT: "One side allows and the other denies.",
    DisagreementClass.AMOUNT: "Both allow, but at different prices.",
    DisagreementClass.BALANCE: "Both allow at the same price, but with different balances.",
    DisagreementClass.RUN_CHARGED_BEFORE: "One run was charged twice under two keys, by this product or with another.",
    DisagreementClass.NOT_A_MEMBER: "A run was booked though its user is not a member.",
    DisagreementClass.LIFECYCLE_DENIED: "A run was booked though the lifecycle does not allow it.",
    DisagreementClass.FOR_REVIEW: "A run was booked that happened more than 35 days before.",
}


@dataclass(frozen=True, slots=True)
class Cell:
    day: date
    count: int
    url: str
    height: int


@dataclass(frozen=True, slots=True)
class DriftRow:
    badge: Any
    meaning: str
    total: int
    url: str
    cells: tuple[Cell, ...]


def drift_panel(product: Product, url: str) -> Panel:
    """A short table of disagreements by class."""
    drift = drift_of(product.pk, clock.now())
    rows = [(each.label, str(sum(counts)), str(counts[-1])) for each, counts in drift.counts.items() if sum(counts)]
    if rows:
        rows.append(("Compared", f"{drift.compared_total:,}", f"{drift.compared[-1]:,}"))
    headers = ("What differs", f"Last {DAYS} days", "Today")
    return Panel("Drift of shadow mode", headers, rows, empty=said(drift), link=url, icon="compare_arrows")


def said(drift: Drift) -> str:
    """What an empty page means: nothing differs only where something was compared."""
    if not drift.compared_total:
        return (
            f"Nothing was compared in {DAYS} days, so this says nothing about the product. Comparison starts when it "
            "sends local_decision with each authorize."
        )
    return f"No disagreement. Decisions that were compared in {DAYS} days: {drift.compared_total:,}."


def drift_fact(url: str) -> Fact:
    return Fact("Drift", link(url, "Open the drift page"), "Where the product's decisions and ours differ.")


def class_badge(difference: str) -> Any:
    """The class of a disagreement; red for those that change a decision."""
    grave = {DisagreementClass.UNKNOWN_OPERATION, DisagreementClass.MEMBERSHIP, DisagreementClass.VERDICT}
    grave |= {DisagreementClass.RUN_CHARGED_BEFORE}
    found = DisagreementClass(difference)
    return badge(found.label, "bad" if found in grave else "warn")


def drift_context(product: Product) -> dict[str, Any]:
    """The template's context."""
    drift = drift_of(product.pk, clock.now())
    highest = max((max(counts) for counts in drift.counts.values()), default=0)
    return {
        "product": product,
        "drift": drift,
        "said": said(drift),
        "days": DAYS,
        "highest": highest,
        "rows": [_row(product, each, drift.days, counts, highest) for each, counts in drift.counts.items()],
        "all_url": list_url(ShadowDisagreement, product=product.pk),
    }


def _row(
    product: Product, each: DisagreementClass, days: tuple[date, ...], counts: tuple[int, ...], highest: int
) -> DriftRow:
    cells = tuple(
        Cell(
            day,
            count,
            list_url(
                ShadowDisagreement, product=product.pk, difference=each.value, seen_at_from=day, seen_at_until=day
            ),
            count * 100 // highest if highest else 0,
        )
        for day, count in zip(days, counts, strict=True)
    )
    url = list_url(ShadowDisagreement, product=product.pk, difference=each.value)
    return DriftRow(class_badge(each.value), _MEANINGS[each], sum(counts), url, cells)
