"""The panels of a product about its cutover: the latest check, what is missing, modes and their history (spec 02)."""

from __future__ import annotations

from typing import Any

from apps.backoffice.cells import NOTHING, badge, list_url, moment, record_link, short
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.core import clock
from apps.core.ids import ProductId
from apps.tenants.billing_modes import missing_for_central
from apps.tenants.models import BillingModeChange, BillingModeException, CutoverRun, Product
from apps.tenants.selectors.billing_modes import latest_check_facts, latest_check_of

_TONES: dict[str, Any] = {"passed": "good", "failed": "bad", "nothing": "neutral"}


def central_fact(product: Product) -> Fact:
    """Whether the product may be moved to central now, and what is missing."""
    missing = missing_for_central(latest_check_facts(ProductId(product.pk)), clock.now())
    if not missing:
        return Fact("Ready for central", badge("Ready", "good"), "By the latest cutover check.")
    return Fact("Ready for central", badge("Not yet", "warn"), " ".join(missing))


def cutover_panels(product: Product) -> list[Panel]:
    """The latest check line by line, organizations with a mode of their own, and every change of a mode."""
    return [_check_panel(product), _exceptions_panel(product), _history_panel(product)]


def _check_panel(product: Product) -> Panel:
    check = latest_check_of(ProductId(product.pk))
    rows = [
        (badge(line["outcome"].capitalize(), _TONES[line["outcome"]]), line["name"], line["detail"])
        for line in (check.lines if check else [])
    ]
    when = f", {check.finished_at:%-d %B %Y, %H:%M} UTC" if check else ""
    return Panel(
        f"Cutover check{when}",
        ("Result", "Line", "What was found"),
        rows,
        empty="Never made. Check cutover, above, before you move the product to central; manage.py cutover_check does "
        "the same.",
        link=list_url(CutoverRun, product=product.slug),
        icon="checklist",
    )


def _exceptions_panel(product: Product) -> Panel:
    return panel_of(
        "Organizations with a mode of their own",
        ("Organization", "Mode", "Since"),
        BillingModeException.objects.filter(product=product, organization__is_synthetic=False)
        .select_related("organization")
        .order_by("-set_at", "pk"),
        lambda row: (record_link(row.organization), badge(row.mode.capitalize()), moment(row.set_at)),
        empty="None. All have the mode of the percentage or of the product.",
        icon="person_pin_circle",
    )


def _history_panel(product: Product) -> Panel:
    return panel_of(
        "Changes of the billing mode",
        ("When", "For", "From", "To", "Without a check", "By", "Reason"),
        BillingModeChange.objects.filter(product=product).select_related("organization").order_by("-changed_at"),
        lambda row: (
            moment(row.changed_at),
            record_link(row.organization) if row.organization else row.get_scope_display(),
            _setting(row.before, row.percentage_before),
            _setting(row.after, row.percentage_after),
            "Yes" if row.without_check else NOTHING,
            row.changed_by,
            short(row.reason, 60),
        ),
        empty="None yet.",
        icon="history",
    )


def _setting(mode: str, percentage: int) -> str:
    return f"{percentage} % {mode}" if percentage else mode or "none"
