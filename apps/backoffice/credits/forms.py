"""Forms of the verbs of credits. Amounts are typed as decimal numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from apps.backoffice.form_fields import AmountField, day_field
from apps.backoffice.verbs import KeyedForm
from apps.credits.enums import GrantType

DEFAULT_PRIORITY = 100
LOWEST_PRIORITY = 255


class CreditsForm(KeyedForm):
    """A change of credits: the tenant's statement has a line for it, without the reason."""

    def prepare(self) -> None:
        super().prepare()
        self.fields["reason"].help_text = f"{self.fields['reason'].help_text} The tenant does not see it."


class GrantForm(CreditsForm):
    """The last day counts whole, in UTC."""

    grant_type = forms.ChoiceField(
        label="Kind", choices=[("", "Choose"), *GrantType.choices], widget=UnfoldAdminSelectWidget()
    )
    amount = AmountField(label="Credits")
    begins_on = day_field("First day", "In UTC. Leave empty to start now.")
    expires_on = day_field("Last day", "In UTC. Leave empty for no expiry.")
    priority = forms.IntegerField(
        min_value=0,
        max_value=LOWEST_PRIORITY,
        initial=DEFAULT_PRIORITY,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "number", "min": 0, "max": LOWEST_PRIORITY}),
        help_text="Lower numbers are used first (0 to 255). With equal numbers, the one that expires first is used "
        "first.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("begins_on"), cleaned.get("expires_on")
        if first and last and last < first:
            self.add_error("expires_on", "The last day is before the first.")
        return cleaned

    def effective_at(self) -> datetime | None:
        """The beginning of the first day."""
        return _midnight(self.cleaned_data["begins_on"])

    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        midnight = _midnight(self.cleaned_data["expires_on"])
        return midnight + timedelta(days=1) if midnight else None


class AdjustForm(CreditsForm):
    amount = AmountField(
        label="Credits to take", help_text="To give credits, grant an adjustment instead.", placeholder="12.5"
    )


class OverdraftForm(CreditsForm):
    limit = AmountField(label="Limit", allow_zero=True, help_text="With 0 the balance can't go below zero.")


class ReverseForm(CreditsForm):
    amount = AmountField(label="Credits to give back", required=False, help_text="Leave empty for all that is left.")


class PublishForm(KeyedForm):
    accept_outcomes = forms.BooleanField(
        label="The outcomes are spelled as the product spells them",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Needed only where one nearly equals a usual outcome, such as `success` for `succeeded`.",
    )


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, tzinfo=UTC) if day else None
