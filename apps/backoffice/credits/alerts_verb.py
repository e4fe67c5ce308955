"""When an organization is told that its credits run low, set by staff (spec 07, Balance alerts)."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.backoffice.verbs import ReasonForm
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.credits.models import CreditAccount
from apps.reporting.rules.alerts import Audience, ThresholdError, read_thresholds, write_thresholds
from apps.reporting.selectors.alerts import wanted_alerts
from apps.reporting.services import balance_alerts_change

ALERTS_OPERATION = "balance_alerts.change"


class AlertsForm(ReasonForm):
    """The thresholds, several in a field apart by spaces; all fields empty: nobody is warned."""

    percent = forms.CharField(
        label="Percent of the last purchase",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Like 20. Several apart by spaces. Without a purchase yet it does not apply.",
    )
    credits = forms.CharField(
        label="Credits",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Like 0 500. With 0 they are told when the credits are used up.",
    )
    days = forms.CharField(
        label="Days that the credits last",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Like 7 14, at the pace of the last 30 days.",
    )
    audience = forms.ChoiceField(
        label="Who is told", choices=[(one.value, one.label) for one in Audience], widget=UnfoldAdminSelectWidget()
    )

    def clean(self) -> dict[str, Any]:
        typed: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            typed["thresholds"] = read_thresholds(
                percent=typed.get("percent", ""), credits=typed.get("credits", ""), days=typed.get("days", "")
            )
        except ThresholdError as error:
            self.add_error(error.field, str(error))
        return typed


def change_alerts(context: ExecutionContext, account: CreditAccount, form: AlertsForm) -> str:
    typed = form.cleaned_data
    has_changed = balance_alerts_change(
        context,
        organization_id=OrganizationId(account.pk),
        thresholds=typed["thresholds"],
        audience=Audience(typed["audience"]),
        reason=typed["reason"],
    )
    if not has_changed:
        return "The alerts are like that already. Nothing was changed."
    return "The alerts apply from now on." if typed["thresholds"] else "Nobody is warned any more."


def stored_alerts(account: CreditAccount) -> dict[str, str]:
    """What the form shows first."""
    wanted = wanted_alerts(account.pk)
    return {**write_thresholds(wanted.thresholds), "audience": wanted.audience.value}
