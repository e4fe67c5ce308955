"""The drift board of a product: what differs by class and day, what is explained, and the gate to central.

Each count leads to its list, each example to both sides' numbers and to our receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.cells import badge, link, list_url, page_url
from apps.backoffice.cutover.figures import data_lines
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.credits import format_credits
from apps.backoffice.staff import may
from apps.core import clock
from apps.core.charts import Chart, Column, Number, draw_bars
from apps.core.ids import ProductId
from apps.credits.enums import DisagreementClass
from apps.credits.models import DifferenceMark, ShadowDisagreement
from apps.credits.selectors.drift import DAYS, Drift, drift_of, marks_in_force, unexplained_examples
from apps.credits.services.differences import OPERATION as EXPLAIN
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.billing_modes import gate_lines
from apps.tenants.models import CutoverRun, Product
from apps.tenants.selectors.billing_modes import latest_check_facts

EXAMPLES = 3
MARKS_SHOWN = 50
_MEANINGS = {
    DisagreementClass.UNKNOWN_OPERATION: "The product uses an operation without a price.",
    DisagreementClass.MEMBERSHIP: "Only one side knows this person as a member.",
    DisagreementClass.LIFECYCLE: "The product allows what the workspace's lifecycle denies.",
    DisagreementClass.VERDICT: "One side allows and the other denies.",
    DisagreementClass.AMOUNT: "Both allow, but at different prices.",
    DisagreementClass.ROUNDING: "The prices are one smallest step apart: the product rounds otherwise.",
    DisagreementClass.BALANCE: "Both allow at the same price, but with different balances.",
    DisagreementClass.RUN_CHARGED_BEFORE: "One run was charged twice under two keys, by this product or with another.",
    DisagreementClass.NOT_A_MEMBER: "A run was booked though its user is not a member.",
    DisagreementClass.LIFECYCLE_DENIED: "A run was booked though the lifecycle does not allow it.",
    DisagreementClass.FOR_REVIEW: "A run was booked that happened more than 35 days before.",
}
# What the plot of differences stacks, the gravest on top.
_STACK: dict[str, tuple[DisagreementClass, ...]] = {
    "Balance": (DisagreementClass.BALANCE,),
    "Rounding": (DisagreementClass.ROUNDING,),
    "Amount": (DisagreementClass.AMOUNT,),
    "Decision": (
        DisagreementClass.VERDICT,
        DisagreementClass.LIFECYCLE,
        DisagreementClass.MEMBERSHIP,
        DisagreementClass.UNKNOWN_OPERATION,
    ),
    "Booked": (
        DisagreementClass.RUN_CHARGED_BEFORE,
        DisagreementClass.NOT_A_MEMBER,
        DisagreementClass.LIFECYCLE_DENIED,
        DisagreementClass.FOR_REVIEW,
    ),
}
_GRAVE = {
    DisagreementClass.UNKNOWN_OPERATION,
    DisagreementClass.MEMBERSHIP,
    DisagreementClass.LIFECYCLE,
    DisagreementClass.VERDICT,
    DisagreementClass.RUN_CHARGED_BEFORE,
}


@dataclass(frozen=True, slots=True)
class Cell:
    day: date
    count: int
    url: str
    height: int


@dataclass(frozen=True, slots=True)
class Example:
    """One difference with both sides' numbers; `receipt_url` is empty where no receipt was kept."""

    record: ShadowDisagreement
    url: str
    local: str
    ours: str
    receipt_url: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    badge: Any
    meaning: str
    total: int
    explained: int
    url: str
    cells: tuple[Cell, ...]
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class GateRow:
    """One line of the gate: `good`, `bad`, or `neutral` where there is nothing to compare."""

    name: str
    tone: str
    word: str
    said: str


@dataclass(frozen=True, slots=True)
class ShownMark:
    mark: DifferenceMark
    url: str
    undo_url: str


def drift_panel(product: Product, url: str) -> Panel:
    """A short table of disagreements by class."""
    drift = drift_of(product.pk, clock.now())
    rows = [
        (each.label, f"{sum(counts):,}", f"{sum(drift.explained[each]):,}", f"{counts[-1]:,}")
        for each, counts in drift.counts.items()
        if sum(counts)
    ]
    if rows:
        rows.append(("Compared", f"{drift.compared_total:,}", "", f"{drift.compared[-1]:,}"))
    headers = ("What differs", f"Last {DAYS} days", "Explained", "Today")
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
    return Fact("Drift", link(url, "Open the drift board"), "Where the product's decisions and ours differ.")


def class_badge(difference: str) -> Any:
    """The class of a disagreement; red for those that change a decision."""
    found = DisagreementClass(difference)
    return badge(found.label, "bad" if found in _GRAVE else "warn")


def drift_context(request: HttpRequest, product: Product) -> dict[str, Any]:
    """The template's context."""
    now = clock.now()
    drift = drift_of(product.pk, now)
    highest = max((max(counts) for counts in drift.counts.values()), default=0)
    may_explain = may(request, EXPLAIN)
    return {
        "product": product,
        "drift": drift,
        "said": said(drift),
        "days": DAYS,
        "gate": _gate(product),
        "checks_url": list_url(CutoverRun, product=product.slug),
        "charts": _charts(drift) if drift.compared_total or drift.total else [],
        "rows": [_row(product, each, drift, highest) for each in DisagreementClass],
        "marks": [_shown(mark) for mark in marks_in_force(product.pk)[:MARKS_SHOWN]],
        "explain_url": reverse("admin:tenants_product_explain", args=(product.pk,)) if may_explain else "",
        "all_url": list_url(ShadowDisagreement, product=product.pk),
    }


def _gate(product: Product) -> list[GateRow]:
    """What central asks for: the figures and the check as the gate reads them, the data as the next check would."""
    product_id = ProductId(product.pk)
    now = clock.now()
    words = {True: ("good", "Met"), False: ("bad", "Missing")}
    facts = latest_check_facts(product_id)
    lines = [GateRow(line.name, *words[line.is_met], line.said) for line in gate_lines(facts, now)]
    tones = {"passed": ("good", "Met"), "failed": ("bad", "Missing"), "nothing": ("neutral", "Nothing yet")}
    data = data_lines(product, None, now)
    return [*lines, *(GateRow(line.name, *tones[line.outcome], line.detail) for line in data)]


def _charts(drift: Drift) -> list[Chart]:
    agreement = [
        Column(
            f"{day:%-d %b}",
            f"{day:%-d %B %Y}",
            [max(0, compared - explained - differing), explained, differing],
        )
        for day, compared, explained, differing in zip(
            drift.days, drift.compared, drift.explained_decisions, drift.differing, strict=True
        )
    ]
    classes = [
        Column(
            f"{day:%-d %b}",
            f"{day:%-d %B %Y}",
            [_unexplained(drift, group, place) for group in _STACK.values()],
        )
        for place, day in enumerate(drift.days)
    ]
    return [
        draw_bars("Agreement by day", "decisions", ("Agree", "Explained", "Differ"), agreement, _show),
        draw_bars("Unexplained differences by day", "differences", tuple(_STACK), classes, _show),
    ]


def _unexplained(drift: Drift, group: Sequence[DisagreementClass], place: int) -> int:
    return sum(drift.counts[each][place] - drift.explained[each][place] for each in group)


def _show(figure: Number) -> str:
    return f"{int(figure):,}"


def _row(product: Product, each: DisagreementClass, drift: Drift, highest: int) -> DriftRow:
    counts = drift.counts[each]
    cells = tuple(
        Cell(
            day,
            count,
            list_url(
                ShadowDisagreement, product=product.pk, difference=each.value, seen_at_from=day, seen_at_until=day
            ),
            count * 100 // highest if highest else 0,
        )
        for day, count in zip(drift.days, counts, strict=True)
    )
    url = list_url(ShadowDisagreement, product=product.pk, difference=each.value)
    examples = _examples(product, each) if drift.unexplained(each) else []
    totals = (sum(counts), sum(drift.explained[each]))
    return DriftRow(class_badge(each.value), _MEANINGS[each], *totals, url, cells, examples)


def _examples(product: Product, each: DisagreementClass) -> list[Example]:
    found = unexplained_examples(product.pk, each, clock.now(), most=EXAMPLES)
    return [
        Example(
            record,
            page_url(record),
            _side(record.local_decision, record.local_charge, record.local_balance),
            _side(record.central_decision, record.central_charge, record.central_balance),
            _receipt_url(record),
        )
        for record in found
    ]


def _side(decision: str, charge: int | None, balance: int | None) -> str:
    parts = [decision] if decision else []
    parts += [f"{format_credits(charge)} credits"] if charge is not None else []
    parts += [f"balance {format_credits(balance)}"] if balance is not None else []
    return ", ".join(parts) or "said nothing"


def _receipt_url(record: ShadowDisagreement) -> str:
    """Our receipt of that decision: kept of every denial, and of what opened a hold."""
    kept = DecisionReceipt.objects.filter(
        organization_id=record.organization_id, created_at=record.seen_at, request_id=record.request_id
    ).first()
    return page_url(kept) if kept is not None else ""


def _shown(mark: DifferenceMark) -> ShownMark:
    return ShownMark(mark, page_url(mark), reverse("admin:credits_differencemark_undo", args=(mark.pk,)))
