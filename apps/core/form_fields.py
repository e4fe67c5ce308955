"""Form fields for days and moments, within the one bound of `apps.core.moments`. Forms use no others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django import forms

from apps.core.moments import FIRST_YEAR, LAST_YEAR, MomentError, bounded, bounded_day

_OUT_OF_BOUNDS = f"Choose a day in the years {FIRST_YEAR} to {LAST_YEAR}."


class DayField(forms.DateField):
    """A day."""

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        try:
            return bounded_day(day) if day is not None else None
        except MomentError:
            raise forms.ValidationError(_OUT_OF_BOUNDS, code="out_of_bounds") from None


class MomentField(forms.DateTimeField):
    """A moment, in UTC where no other offset is typed; cleaned to UTC."""

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        try:
            return bounded(moment).astimezone(UTC) if moment is not None else None
        except MomentError:
            raise forms.ValidationError(_OUT_OF_BOUNDS, code="out_of_bounds") from None
