"""The price preview in words and tables: "this draft would have charged 4.1 % more" (spec 05, Policy)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import code, number
from apps.backoffice.panels import Panel, Row
from apps.backoffice.records.credits import account_link, format_credits, format_signed
from apps.backoffice.verbs import Change
from apps.credits.enums import PricePreviewStatus
from apps.credits.models import CreditPolicy, PricePreviewRun
from apps.credits.models.price_previews import ACTIVE
from apps.credits.rules.price_preview import Compared, PricePreview
from apps.credits.selectors.price_preview import latest_preview
from apps.tenants.models import Organization

_TENTHS = 10


def percent(compared: Compared) -> str:
    """The change in per cent with one place: "+4.1 %"."""
    share = compared.per_mille
    if share is None:
        return "was free" if compared.difference else "0.0 %"
    whole, tenth = divmod(abs(share), _TENTHS)
    sign = "+" if share > 0 else "-" if share < 0 else ""
    return f"{sign}{whole:,}.{tenth} %"


def headline(preview: PricePreview) -> str:
    """The comparison in one sentence."""
    total = preview.total
    if not total.lines:
        return "Nothing was used in the last 30 days, so there is nothing to compare with."
    if not total.difference:
        charged = format_credits(total.charged)
        return f"It would have charged the same for the {total.lines:,} uses of the last 30 days: {charged} credits."
    word = "more" if total.difference > 0 else "less"
    share = percent(total).lstrip("+-") if total.charged else f"{format_credits(abs(total.difference))} credits"
    return (
        f"It would have charged {share} {word} for the {total.lines:,} uses of the last 30 days:"
        f" {format_credits(total.would_charge)} in place of {format_credits(total.charged)} credits."
    )


def warnings(preview: PricePreview) -> list[str]:
    """Uses that the draft would refuse."""
    missing = [f"{name} ({count:,} uses)" for name, count in sorted(preview.unpriced.items())]
    lines = [f"Without a price, and refused from then on: {', '.join(missing)}."] if missing else []
    if preview.too_large:
        lines.append(f"{preview.too_large:,} uses would cost more than one charge may be, and would be refused.")
    if preview.left_out:
        lines.append(f"{preview.left_out:,} uses were charged by the product itself (shadow mode), and are left out.")
    return lines


def result_of(policy: CreditPolicy) -> tuple[PricePreviewRun, PricePreview] | None:
    """The preview of just these prices; None where none was computed."""
    run = latest_preview(policy.product_id)
    if run is None or run.draft_id != policy.pk or run.status != PricePreviewStatus.SUCCEEDED:
        return None
    return run, msgspec.convert(run.result, PricePreview)


def why_no_result(policy: CreditPolicy) -> str:
    """What to do for a preview of these prices; empty where there is one."""
    run = latest_preview(policy.product_id)
    if run is None:
        return "Not computed yet. Choose Preview prices, above."
    if run.draft_id != policy.pk:
        asked = f"{run.requested_by} asked for it on {run.created_at:%-d %B %Y, %H:%M} UTC"
        return f"The draft has changed since its preview ({asked}). Choose Preview prices for one of the new prices."
    if run.status == PricePreviewStatus.FAILED:
        return f"It could not be computed: {run.error} Choose Preview prices to try again."
    return "" if run.status == PricePreviewStatus.SUCCEEDED else "It is being computed."


def effect_panels(policy: CreditPolicy) -> list[Panel]:
    """What the policy's draft would have charged, as it was last computed: for whom, and of which days."""
    title, found = "Effect on the last 30 days", result_of(policy)
    if found is None:
        return [Panel(title, ("Summary",), empty=why_no_result(policy), icon="insights")]
    run, preview = found
    until = f"{run.until:%-d %B %Y, %H:%M} UTC"
    origin = f"Uses from {run.since:%-d %B %Y} until {until}, when {run.requested_by} asked for this preview."
    notes: list[Row] = [(headline(preview),), *[(line,) for line in warnings(preview)], (origin,)]
    return [Panel(title, ("Summary",), notes, icon="insights"), *preview_panels(preview)]


def progress_of(policy: CreditPolicy, url: str) -> dict[str, Any] | None:
    """How far the preview of this draft is; None where none is under way."""
    run = latest_preview(policy.product_id)
    if run is None or run.draft_id != policy.pk or run.status not in ACTIVE:
        return None
    return {
        "template": "backoffice/progress.html",
        "url": url,
        "is_live": True,
        "has_failed": False,
        "done": run.done,
        "all": run.days,
        "what": "days of the ledger",
        "said": f"Price preview: {run.get_status_display().lower()}",
    }


def preview_panels(preview: PricePreview) -> list[Panel]:
    """By operation, and the organizations that change most; one query for their names."""
    return [
        Panel(
            "By operation, last 30 days",
            ("Operation", "Uses", "Charged", "This draft", "Difference"),
            [(code(name), *_row(compared)) for name, compared in sorted(preview.operations.items())],
            empty="Nothing was used in the last 30 days.",
            icon="calculate",
        ),
        Panel(
            affected_title(preview),
            ("Organization", "Uses", "Charged", "This draft", "Difference"),
            _organizations(preview.accounts),
            empty="No organization would pay another amount.",
            icon="domain",
        ),
    ]


def affected(preview: PricePreview) -> list[Change]:
    """The same organizations for the dialog that publishes: what each paid, and would have paid."""
    names = _names(preview.accounts)
    return [
        Change(
            str(names.get(key, key)),
            format_credits(compared.charged),
            format_credits(compared.would_charge),
            f"({percent(compared)})",
        )
        for key, compared in preview.accounts
    ]


def affected_title(preview: PricePreview) -> str:
    shown = len(preview.accounts)
    if preview.changed_accounts > shown:
        return f"The {shown} organizations that change most, of {number(preview.changed_accounts)}"
    return "The organizations that change"


def _organizations(accounts: Sequence[tuple[UUID, Compared]]) -> list[Row]:
    names = _names(accounts)
    return [(account_link(key, names.get(key)), *_row(compared)) for key, compared in accounts]


def _names(accounts: Sequence[tuple[UUID, Compared]]) -> dict[UUID, str]:
    return dict(Organization.objects.filter(pk__in=[key for key, _ in accounts]).values_list("pk", "name"))


def _row(compared: Compared) -> tuple[str | SafeString, ...]:
    # What rises here costs the customer more: marked, and never in the colour of what was gained.
    difference = format_html(
        '<span class="ch-amount{}">{}</span> <small>{}</small>',
        " ch-amount-dearer" if compared.difference > 0 else "",
        format_signed(compared.difference),
        percent(compared),
    )
    return (
        number(compared.lines),
        format_credits(compared.charged),
        format_credits(compared.would_charge),
        difference if compared.difference else "None",
    )
