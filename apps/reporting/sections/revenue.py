"""Revenue: MRR per currency, and how it moved since the day before (spec 07, Revenue). Of the platform."""

from __future__ import annotations

from datetime import date

from apps.reporting.models import RevenueTotal
from apps.reporting.rules.document import Comparison, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.rules.revenue import Movement
from apps.reporting.sections.links import staff_page
from apps.reporting.sections.registry import section
from apps.reporting.selectors.revenue import last_day, totals_of


@section("revenue", order=100, of_organizations=False, operation="revenue.read")
def read_revenue(scope: ReportScope, day: date, window: Window) -> Section:
    """What was written down of the day; nothing for a day that was missed."""
    written = last_day()
    note = "" if written and written.day >= day else "The revenue of this day was not written down when this was made."
    groups = tuple(_group(total) for total in totals_of(day, day))
    return Section("revenue", "Revenue", groups or (Group("none", "MRR", empty="Nobody paid."),), note)


def _group(total: RevenueTotal) -> Group:
    link = staff_page("revenue")

    def money(key: str, label: str, amount: int, note: str = "") -> Line:
        return Line(key, label, amount, Unit.MONEY, total.currency, link, note)

    mrr = Line(
        "mrr", "MRR", total.mrr_minor, Unit.MONEY, total.currency, link, f"{total.organizations:,} organizations pay"
    )
    before = Comparison("Day before", total.before_minor)
    moved = [money(name.value, name.label, getattr(total, f"{name.value}_minor")) for name in Movement]
    owed = money("delinquent", "Delinquent", total.delinquent_minor, "Owed and late")
    risk = money("at_risk", "At risk", total.at_risk_minor, "MRR in a grace period")
    lines = (mrr, *moved, owed, risk)
    return Group(
        total.currency,
        f"Revenue in {total.currency}",
        tuple(_with(line, before if line is mrr else Comparison(before.label, None)) for line in lines),
        link,
    )


def _with(line: Line, compared: Comparison) -> Line:
    return Line(
        line.key, line.label, line.value, line.unit, line.currency, line.link, line.note, line.is_alarm, (compared,)
    )
