"""The two lists that no one else has: paid but blocked, and unpaid but allowed (spec 07, Books). Of the platform."""

from __future__ import annotations

from datetime import date

from apps.reporting.models import ContradictionKind, PaymentContradiction
from apps.reporting.rules.document import MOST_LINES, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import staff_link
from apps.reporting.sections.registry import section


@section("lists", order=80, of_organizations=False)
def read_lists(scope: ReportScope, day: date, window: Window) -> Section:
    """What the gate was last asked for: within the hour before the report was made."""
    return Section("lists", "Paid against allowed", tuple(_group(kind) for kind in ContradictionKind))


def _group(kind: ContradictionKind) -> Group:
    rows = PaymentContradiction.objects.filter(kind=kind).select_related("workspace", "organization")
    found = rows.order_by("first_seen_at", "pk")[:MOST_LINES]
    lines = tuple(
        Line(
            f"workspace-{row.workspace_id}",
            f"{row.workspace.name}, {row.organization.name}",
            row.reason,
            Unit.TEXT,
            link=staff_link("tenants_workspace", row.workspace_id),
            note=f"Since {row.first_seen_at:%-d %B %Y}. Records: {', '.join(row.records)}",
            is_alarm=True,
        )
        for row in found
    )
    left_out = max(rows.count() - MOST_LINES, 0) if len(lines) == MOST_LINES else 0
    link = staff_link("reporting_paymentcontradiction", kind=kind.value)
    return Group(kind.value, kind.label, lines, link, left_out, "None. The gate agrees with what is paid.")
