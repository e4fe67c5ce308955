"""The forms of the connectors' pages. What can be is decided by the services; these read what was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any
from uuid import UUID

from django import forms
from pydantic.fields import FieldInfo

from apps.connectors.contracts import Month, Provider
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.providers.registry import provider_classes
from apps.connectors.rules.months import MONTHS_BACK, MOST_MONTHS_BACK, month_of
from apps.connectors.selectors.connectors import first_month
from apps.connectors.selectors.records import RecordFilter
from apps.connectors.services import ConnectorChanges, ConnectorParams
from apps.core import clock
from apps.core.amounts import ISO_CURRENCIES
from apps.core.ids import WorkspaceId
from apps.core.moments import write_months

_SETTING = "setting-"
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_KEY_HELP = "Checked at the provider, then stored encrypted. Nobody can read it again."
_KEY_AGAIN = "Leave it empty to keep the stored key. It is needed again where the address leads to another host."
_LABELS = {"": "Each record says it", "json": "JSON", "csv": "CSV"}


def _choice_label(choice: str) -> str:
    return _LABELS.get(choice, choice.capitalize())


def offered_providers(*, is_demo: bool) -> list[type[Provider]]:
    """The providers that a workspace can be given: sample data only in a demo."""
    return [provider for provider in provider_classes().values() if is_demo or not provider.is_demo]


def setting_label(name: str, field: FieldInfo) -> str:
    """How a setting is called on the pages."""
    return field.title or name.replace("_", " ").capitalize()


class ConnectorForm(forms.Form):
    """A connector of one provider: its name, what the provider asks for, and the key, which is never shown again."""

    name = forms.CharField(label="Name", max_length=200, help_text="To tell it from your other connectors.")

    first_month = forms.ChoiceField(
        label="Read from",
        required=False,
        help_text="Months from this one on are read. Each month is a sync of its own.",
        error_messages={"invalid_choice": "Choose one of the months in the list."},
    )

    def __init__(
        self, data: Any = None, *, provider: type[Provider], zone: tzinfo, connector: Connector | None = None
    ) -> None:
        """`connector` is the one that is edited, `zone` the organization's."""
        super().__init__(data, initial={"name": connector.name if connector else provider.label})
        self._offer_months(zone, first_month(connector) if connector else None)
        self.provider = provider
        stored = connector.settings if connector else {}
        for name, field in provider.settings_form.model_fields.items():
            choices = getattr(field.annotation, "__args__", ())
            is_choice = bool(choices) and all(isinstance(choice, str) for choice in choices)
            default = "" if field.is_required() or field.default is None else str(field.default)
            default = str(stored.get(name, default))
            common: dict[str, Any] = {
                "label": setting_label(name, field),
                "required": field.is_required(),
                "initial": default,
                "help_text": field.description or "",
            }
            self.fields[_SETTING + name] = (
                forms.ChoiceField(choices=[(choice, _choice_label(choice)) for choice in choices], **common)
                if is_choice
                else forms.CharField(max_length=2_000, **common)
            )
        if provider.credential_kind is CredentialKind.API_KEY:
            self.fields["api_key"] = forms.CharField(
                label="API key",
                max_length=4_096,
                required=connector is None,
                widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
                help_text=_KEY_HELP if connector is None else _KEY_AGAIN,
            )

    def _offer_months(self, zone: tzinfo, stored: Month | None) -> None:
        """Every month that can be chosen, latest first; the stored one too, however long ago it is."""
        current = month_of(clock.now(), zone)
        usual = current.shifted(-MONTHS_BACK)
        offered = [current.shifted(-back) for back in range(MOST_MONTHS_BACK + 1)]
        if stored is not None and stored not in offered:
            offered.append(stored)
        words = {usual: f" ({MONTHS_BACK} months back)", current: " (this month)"}
        field = self.fields["first_month"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
        field.choices = [(str(month), f"{write_months(str(month))}{words.get(month, '')}") for month in offered]
        field.initial = str(usual if stored is None else stored)
        if stored is not None:
            field.help_text = "Earlier months are read at once. Of months before a later one the records stay."

    def params(self) -> ConnectorParams:
        """What was typed, for the onboarding service."""
        values = self.cleaned_data
        settings = {
            name.removeprefix(_SETTING): value
            for name, value in values.items()
            if name.startswith(_SETTING) and value != ""
        }
        first = Month.read(values["first_month"]) if values["first_month"] else None
        return ConnectorParams(self.provider.name, values["name"], settings, values.get("api_key"), first)

    def changes(self) -> ConnectorChanges:
        """What was typed, for the service that edits."""
        given = self.params()
        return ConnectorChanges(given.name, given.settings, given.api_key or None, given.first_month)

    def place_error(self, field: str, message: str) -> None:
        """Show the service's sentence at the field that it names, else above the form."""
        name = field.replace("settings.", _SETTING, 1) if field.startswith("settings.") else field
        self.add_error(name if name in self.fields else None, message)


class KeyForm(forms.Form):
    """A key in the place of the one before."""

    api_key = forms.CharField(
        label="New API key",
        max_length=4_096,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Checked at the provider, then stored encrypted in place of the old key.",
    )

    def place_error(self, field: str, message: str) -> None:
        """Show the service's sentence at the key, else above the form."""
        self.add_error(field if field in self.fields else None, message)


class RecordFilterForm(forms.Form):
    """The filter of the billing records. What can't be is refused with a sentence, on the page and for the file."""

    connector = forms.ChoiceField(required=False, label="Connector")
    month = forms.CharField(required=False, label="Month", widget=forms.Select)
    kind = forms.ChoiceField(required=False, label="Kind")
    currency = forms.CharField(required=False, label="Currency", widget=forms.Select)
    voided = forms.BooleanField(required=False, label="Include voided records")

    def __init__(
        self, data: Any, *, connectors: Sequence[Connector], months: Sequence[str], currencies: Sequence[str]
    ) -> None:
        """`months` and `currencies` are those that there are records of; others that can be match nothing."""
        super().__init__(data)
        named = [(str(found.pk), f"{found.name} (removed)" if found.removed_at else found.name) for found in connectors]
        self._offer("connector", named, "Choose one of the connectors in the list.")
        self._offer("kind", RecordKind.choices, "Choose one of the kinds in the list.")
        asked_month, asked_currency = (str(self.data.get(name, "")).strip() for name in ("month", "currency"))
        possible = {asked_month} if _MONTH.fullmatch(asked_month) else set()
        shown_months = sorted({*filter(None, months), *possible}, reverse=True)
        shown_currencies = sorted({*currencies, *([asked_currency] if asked_currency in ISO_CURRENCIES else [])})
        self.fields["month"].widget.choices = [(month, write_months(month)) for month in shown_months]
        self.fields["currency"].widget.choices = [("", "All"), *((name, name) for name in shown_currencies)]

    def _offer(self, name: str, choices: Sequence[tuple[str, str]], refusal: str) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
        field.choices = [("", "All"), *choices]
        field.error_messages["invalid_choice"] = refusal

    def clean_month(self) -> str:
        """A month such as 2026-04, or nothing."""
        month = str(self.cleaned_data["month"]).strip()
        if month and not _MONTH.fullmatch(month):
            raise forms.ValidationError("There is no such month. Choose one of the list, or write it like 2026-04.")
        return month

    def clean_currency(self) -> str:
        """A currency of ISO 4217, in whichever letters it is written, or nothing."""
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency and currency not in ISO_CURRENCIES:
            raise forms.ValidationError("There is no such currency. Choose one of the list, such as EUR.")
        return currency

    def wanted(self, workspace_id: WorkspaceId) -> RecordFilter:
        """The filter; call it on a valid form alone."""
        values = self.cleaned_data
        return RecordFilter(
            workspace_id=workspace_id,
            connector_id=ConnectorId(UUID(values["connector"])) if values["connector"] else None,
            month=values["month"],
            kind=values["kind"],
            currency=values["currency"],
            with_voided=values["voided"],
        )
