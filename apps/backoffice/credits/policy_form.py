"""The form of a draft: one row an operation, each field refused by itself (spec 05, Policy)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.form_fields import AmountField, moment_field
from apps.backoffice.verbs import ReasonForm
from apps.core.amounts import format_micro
from apps.credits.rules.outcomes import BILLABLE_OUTCOME, USUAL_OTHER_OUTCOMES
from apps.credits.rules.pricing import Price, is_possible

MOST_ROWS, EMPTY_ROWS = 200, 3
_LONGEST_NAME = 80
_USUAL = ", ".join(USUAL_OTHER_OUTCOMES)


def _words(label: str, longest: int, hint: str, placeholder: str) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"placeholder": placeholder, "autocomplete": "off"})
    return forms.CharField(label=label, max_length=longest, required=False, help_text=hint, widget=widget)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


class PriceForm(forms.Form):
    """One operation's price. A row of which nothing is filled in is none; a row is taken out by emptying its name."""

    operation = _words("Operation", _LONGEST_NAME, "", "fix_run")
    unit = _words("Unit", 40, "", "run")
    unit_price = AmountField(label="Price of a unit", allow_zero=True, required=False, placeholder="2.5")
    minimum_charge = AmountField(label="Minimum charge", allow_zero=True, required=False, placeholder="0")
    free_quantity = AmountField(label="Free a month", allow_zero=True, required=False, placeholder="0")
    quantum = AmountField(label="Smallest step", required=False, placeholder="0.000001")
    billable_outcomes = _words("Billable outcomes", 400, "Separated by commas.", "succeeded")
    other_outcomes = _words("Other outcomes", 400, "Not charged. Any outcome in neither list is refused.", _USUAL)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("operation"):
            return cleaned
        for name, sentence in (("unit", "What is counted?"), ("unit_price", "What does one cost? 0 is possible.")):
            if name not in self.errors and cleaned.get(name) in {None, ""}:
                self.add_error(name, sentence)
        if not self.errors and not is_possible(self.price()):
            self.add_error("minimum_charge", "The minimum charge must be a multiple of the smallest step.")
        return cleaned

    @property
    def is_empty(self) -> bool:
        """Whether the row says nothing."""
        return not self.cleaned_data.get("operation")

    def price(self) -> Price:
        """The row as the rules see it."""
        typed = self.cleaned_data
        return Price(
            operation=typed["operation"].strip(),
            unit=typed["unit"].strip(),
            unit_price=typed["unit_price"],
            minimum_charge=typed["minimum_charge"] or 0,
            free_quantity=typed["free_quantity"] or 0,
            billable_outcomes=_listed(typed["billable_outcomes"]) or (BILLABLE_OUTCOME,),
            quantum=typed["quantum"] or 1,
            other_outcomes=_listed(typed["other_outcomes"]) or USUAL_OTHER_OUTCOMES,
        )


class DraftForm(ReasonForm):
    """From when on the prices hold."""

    effective_from = moment_field("In force from", required=False, hint="Leave empty to start now.")

    def prepare(self) -> None:
        # The rows come first on this page; a focus down here would push them out of sight.
        self.fields["reason"].widget.attrs.pop("autofocus", None)


class PolicyForms:
    """The whole form: the draft's own fields and its rows."""

    def __init__(self, data: QueryDict | None, prices: Sequence[Price], effective_from: datetime | None) -> None:
        self.draft = DraftForm(data, initial={"effective_from": effective_from})
        self.rows = self._bound(data) if data is not None else self._initial(prices)

    def is_valid(self) -> bool:
        """Whether all of it can be; says of two rows with one name which is the second."""
        valid = [self.draft.is_valid(), *[row.is_valid() for row in self.rows]]
        names: set[str] = set()
        for row in self.rows:
            name = row.cleaned_data.get("operation", "").strip() if hasattr(row, "cleaned_data") else ""
            if name and name in names:
                row.add_error("operation", f"{name} has a price already, further up.")
                valid.append(False)
            names.add(name)
        if not names - {""}:
            self.draft.add_error(None, "A policy has at least one operation with a price.")
            return False
        return all(valid)

    def prices(self) -> list[Price]:
        """The rows that say something."""
        return [row.price() for row in self.rows if not row.is_empty]

    def effective_from(self) -> datetime | None:
        """From when on; None: now."""
        moment: datetime | None = self.draft.cleaned_data["effective_from"]
        return moment

    def reason(self) -> str:
        """Why."""
        return str(self.draft.cleaned_data["reason"])

    def _bound(self, data: QueryDict) -> list[PriceForm]:
        try:
            count = min(max(int(data.get("rows", "0")), 0), MOST_ROWS)
        except ValueError:
            count = 0
        more = EMPTY_ROWS if data.get("step") == "more" else 0
        rows = [PriceForm(data, prefix=f"row{place}") for place in range(count)]
        return [*rows, *[PriceForm(prefix=f"row{count + place}") for place in range(more)]]

    def _initial(self, prices: Sequence[Price]) -> list[PriceForm]:
        filled = [PriceForm(prefix=f"row{place}", initial=_typed(price)) for place, price in enumerate(prices)]
        return [*filled, *[PriceForm(prefix=f"row{len(filled) + place}") for place in range(EMPTY_ROWS)]]


def _typed(price: Price) -> dict[str, str]:
    return {
        "operation": price.operation,
        "unit": price.unit,
        "unit_price": format_micro(price.unit_price),
        "minimum_charge": format_micro(price.minimum_charge),
        "free_quantity": format_micro(price.free_quantity),
        "quantum": format_micro(price.quantum),
        "billable_outcomes": ", ".join(price.billable_outcomes),
        "other_outcomes": ", ".join(price.other_outcomes),
    }
