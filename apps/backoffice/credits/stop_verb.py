"""The switch of an organization that stops its connectors while it has no credits (spec 04, Auto-disable)."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice.verbs import ReasonForm
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.credits.models import CreditAccount
from apps.payments.models import CreditStop
from apps.payments.services import credit_stop_change


class CreditStopForm(ReasonForm):
    """On or off."""

    is_on = forms.BooleanField(
        label="Stop connectors when credits run out",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="They start again by themselves once there are credits. What a person disabled stays disabled.",
    )


def change_credit_stop(context: ExecutionContext, account: CreditAccount, form: CreditStopForm) -> str:
    stop = credit_stop_change(
        context,
        organization_id=OrganizationId(account.pk),
        is_on=form.cleaned_data["is_on"],
        reason=form.cleaned_data["reason"],
    )
    if stop is None:
        return "Connectors go on without credits."
    return "Connectors are stopped now." if stop.stopped_at else "Connectors stop when credits run out."


def stored_credit_stop(account: CreditAccount) -> dict[str, bool]:
    """What the form shows first."""
    return {"is_on": CreditStop.objects.filter(pk=account.pk).exists()}
