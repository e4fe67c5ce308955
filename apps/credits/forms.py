"""The filter of the entries on the Credits page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from django import forms

from apps.core.form_fields import DayField
from apps.credits.enums import EntryKind
from apps.credits.selectors.statement import EntryFilter

NO_WORKSPACE = "none"


@dataclass(frozen=True, slots=True)
class FilterNames:
    """What there is to choose: every product by id, the ids of those that the organization uses, its workspaces."""

    products: Mapping[UUID, str]
    used: frozenset[str]
    workspaces: Mapping[UUID, str]


class EntryFilterForm(forms.Form):
    """Kind, product, workspace and days, each of which may be left open. Days are those of the organization's zone."""

    kind = forms.ChoiceField(required=False, label="Kind")
    product = forms.ChoiceField(required=False, label="Product")
    workspace = forms.ChoiceField(required=False, label="Workspace")
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

    def __init__(self, *args: Any, names: FilterNames, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone
        shown = {*names.used, str(self.data.get("product", ""))}
        self._offer("kind", EntryKind.choices, EntryKind.choices)
        products = [(str(pk), name) for pk, name in names.products.items()]
        self._offer("product", products, [choice for choice in products if choice[0] in shown])
        workspaces = [(str(pk), name) for pk, name in names.workspaces.items()]
        workspaces.append((NO_WORKSPACE, "Without a workspace"))
        self._offer("workspace", workspaces, workspaces)

    def _offer(self, name: str, known: Sequence[tuple[str, str]], shown: Sequence[tuple[str, str]]) -> None:
        """Take what is known, and show what the organization has to do with."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
        field.choices = [("", "All"), *known]
        field.widget.choices = [("", "All"), *shown]
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
            workspace_id=UUID(values["workspace"]) if values["workspace"] not in {"", NO_WORKSPACE} else None,
            without_workspace=values["workspace"] == NO_WORKSPACE,
            since=datetime.combine(since, time(), self._zone) if since else None,
            until=datetime.combine(until + timedelta(days=1), time(), self._zone) if until else None,
        )
