"""Forms of the verbs: typed fields, what stands in them at first, and what was typed. Moments are in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms

from apps.backoffice.actions import ReasonForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.amounts import format_minor
from apps.subscriptions.contracts import Period
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan


class VerbForm(ReasonForm):
    """The form of one verb on one workspace. Subclass with fields, and `prepare` what depends on the workspace.

    `version` carries the version of the subscription that whoever fills in the form has seen.
    """

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput())

    def __init__(self, subject: WorkspaceSubject, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(dict(data.items()) if data is not None else None)
        self.subject = subject
        self.fields["version"].initial = subject.subscription_version
        self.prepare()

    def prepare(self) -> None:
        """Set choices and first values from `self.subject`."""

    def clean_reason(self) -> str:
        """The reason, with the line ends of the audit log."""
        return str(self.cleaned_data["reason"]).replace("\r\n", "\n")

    @property
    def why(self) -> str:
        """Why."""
        return str(self.cleaned_data["reason"])

    @property
    def seen_version(self) -> int | None:
        """The version that was seen when the form was opened."""
        version: int | None = self.cleaned_data["version"]
        return version

    def inputs(self) -> dict[str, object]:
        """Everything that was typed, as the preview's token binds it."""
        return dict(self.cleaned_data)

    def typed(self) -> list[tuple[str, str]]:
        """What was typed, in words, for whoever looks at the preview."""
        return [(str(field.label), self._in_words(field)) for field in self.visible_fields() if field.value()]

    def _in_words(self, field: forms.BoundField) -> str:
        value = self.cleaned_data[field.name]
        if isinstance(field.field, forms.ChoiceField):
            return str(dict(field.field.choices).get(str(value), value))  # type: ignore[arg-type]
        return f"{value:%-d %B %Y, %H:%M} UTC" if isinstance(value, datetime) else str(value)

    def renew_version(self, subject: WorkspaceSubject) -> None:
        """Take the version that is shown now for seen: the refusal beside the form tells what changed."""
        if isinstance(self.data, dict):
            self.data["version"] = subject.subscription_version


class PlanMixin:
    """A form that offers the plans that can be chosen."""

    fields: dict[str, forms.Field]
    cleaned_data: dict[str, Any]

    def offer_plans(self, *, empty: str = "") -> None:
        """The active plans with their prices; `empty` is what choosing none means."""
        plans = [
            (str(plan.pk), f"{plan.name} · {format_minor(plan.price_minor, plan.currency)} a {plan.interval}")
            for plan in Plan.objects.filter(is_active=True).order_by("price_minor", "slug")
        ]
        field = self.fields["plan"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", empty), *plans] if empty else plans

    @property
    def plan_id(self) -> PlanId | None:
        """The plan that was chosen."""
        chosen = self.cleaned_data["plan"]
        return PlanId(UUID(chosen)) if chosen else None


def period_of(form: forms.Form) -> Period | None:
    """The period that was typed; None without both ends, which `require_whole_period` has refused by then."""
    start, end = form.cleaned_data.get("period_start"), form.cleaned_data.get("period_end")
    return Period(start, end) if start and end else None


def require_whole_period(form: forms.Form) -> None:
    """Half a period is none."""
    start, end = form.cleaned_data.get("period_start"), form.cleaned_data.get("period_end")
    if bool(start) != bool(end):
        form.add_error("period_end" if start else "period_start", "A period has a start and an end; give both.")
