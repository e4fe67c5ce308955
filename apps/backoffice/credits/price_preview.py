"""The price preview in words and tables: "this draft would have charged 4.1 % more" (spec 05, Policy)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import code, number
from apps.backoffice.panels import Panel, Row
from apps.backoffice.records.credits import account_link, format_credits, format_signed
from apps.backoffice.verbs import Change
from apps.credits.rules.price_preview import Compared, PricePreview
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
    return lines


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
