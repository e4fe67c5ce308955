"""The filter of the entries on the Credits page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from django import forms

from apps.core.form_fields import DayField
from apps.credits.enums import EntryKind
from apps.credits.selectors.statement import EntryFilter


class EntryFilterForm(forms.Form):
    """Kind, product and days, each of which may be left open. Days are those of the organization's time zone."""

    kind = forms.ChoiceField(required=False, label="Kind")
    product = forms.ChoiceField(required=False, label="Product")
    since = DayField(
        required=False,
        label="From",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day like 2026-04-30."},
    )
    until = DayField(
        required=False,
        label="To",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day like 2026-04-30."},
    )

    def __init__(self, *args: Any, products: Mapping[UUID, str], zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone
        chosen = {"kind": EntryKind.choices, "product": [(str(pk), name) for pk, name in products.items()]}
        for name, choices in chosen.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
            field.choices = [("", "All"), *choices]
            field.error_messages["invalid_choice"] = f"Choose one of the {name}s in the list."

    def clean(self) -> dict[str, Any]:
        """Refuse a last day before the first one."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "Choose a last day that is not before the first one.")
        return cleaned

    def wanted(self) -> EntryFilter:
        """The filter; call it on a valid form alone."""
        values = self.cleaned_data
        since, until = values["since"], values["until"]
        return EntryFilter(
            kind=EntryKind(values["kind"]) if values["kind"] else None,
            product_id=UUID(values["product"]) if values["product"] else None,
            since=datetime.combine(since, time(), self._zone) if since else None,
            until=datetime.combine(until + timedelta(days=1), time(), self._zone) if until else None,
        )
