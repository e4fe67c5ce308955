"""Fields of the dialogs: amounts of credits, days and moments in UTC, choices and short texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.amounts import MalformedNumberError, NumberOutOfRangeError, parse_amount
from apps.core.form_fields import DayField, MomentField
from apps.core.moments import MomentError, read_iso_moment

_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,6})?", re.ASCII)
_WITH_COMMA = re.compile(r"[0-9]{1,3}(\.?[0-9]{3})*,[0-9]{1,6}", re.ASCII)
_IN_UTC = "In UTC."


class MomentInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]  # Unfold carries no types
    def __init__(self) -> None:
        super().__init__(attrs={"type": "datetime-local"})

    def format_value(self, value: Any) -> str:
        """Format for `datetime-local`: UTC to the minute, without a zone."""
        if isinstance(value, str):
            # What a person typed stays as it is; a whole moment with its zone stands in an address.
            try:
                value = read_iso_moment(value) if value.endswith(("Z", "+00:00")) else value
            except MomentError:
                return ""
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if isinstance(value, datetime) else str(value or "")


def moment_field(label: str, *, required: bool = True, hint: str = "") -> MomentField:
    return MomentField(label=label, required=required, help_text=f"{_IN_UTC} {hint}".strip(), widget=MomentInput())


def choice_field(label: str, choices: Any = (), *, required: bool = True, hint: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, required=required, help_text=hint, widget=UnfoldAdminSelectWidget()
    )


def text_field(label: str, *, required: bool = True, hint: str = "", placeholder: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=255,
        required=required,
        help_text=hint,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": placeholder}),
    )


def typed_amount(text: str) -> int:
    """Micro-credits of what a person typed, as pages write it: "1,000" and "12,500.5" are understood.

    Raises `MalformedNumberError` and `NumberOutOfRangeError`, the first with what was probably meant.
    """
    plain = text.strip()
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        return parse_amount(plain)
    except MalformedNumberError:
        meant = plain.replace(".", "").replace(",", ".") if _WITH_COMMA.fullmatch(plain) else ""
        hint = f" Did you mean {meant}?" if meant else ""
        sentence = "Write a number such as 1000 or 12.5, with a point before decimals, and at most 6 of them."
        raise MalformedNumberError(f"{sentence}{hint}") from None


class AmountField(forms.CharField):
    """Credits as a decimal number, such as 12.5; cleaned to micro-credits."""

    def __init__(self, *, allow_zero: bool = False, placeholder: str = "100", **kwargs: Any) -> None:
        self.allow_zero = allow_zero
        attrs = {"inputmode": "decimal", "placeholder": placeholder, "autocomplete": "off"}
        super().__init__(max_length=40, widget=UnfoldAdminTextInputWidget(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).strip()
        if not text:
            return None
        try:
            amount = typed_amount(text)
        except (MalformedNumberError, NumberOutOfRangeError) as error:
            raise forms.ValidationError(str(error)) from error
        if amount == 0 and not self.allow_zero:
            raise forms.ValidationError("The amount must be more than 0.")
        return amount


def day_field(label: str, hint: str) -> DayField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return DayField(label=label, required=False, help_text=hint, widget=widget)
