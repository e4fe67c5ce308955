"""The forms of the tenants app's pages."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest

from apps.core.emails import LONGEST_EMAIL, email_to_find
from apps.core.moments import zone_names
from apps.tenants.brute_force import one_guess
from apps.tenants.guess_limits import GuessKind

# The regions of the IANA database that are places; the rest are old names and technical zones.
_REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


class SignInForm(AuthenticationForm):
    """E-mail address and password. An unknown address and a wrong password are refused with the same sentence."""

    error_messages = {  # noqa: RUF012 - Django's own declaration is a plain class attribute
        "invalid_login": "Wrong e-mail address or password.",
        "inactive": "Wrong e-mail address or password.",
    }

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self._request = request
        address = self.fields["username"]
        address.label = "E-mail address"
        address.widget = forms.EmailInput(
            attrs={"autocomplete": "username", "autofocus": True, "maxlength": LONGEST_EMAIL, "spellcheck": "false"}
        )

    def clean_username(self) -> str:
        """Normalize the address as it is stored."""
        address = email_to_find(str(self.cleaned_data["username"]))
        # Django gives the field no length.
        if len(address) > LONGEST_EMAIL:
            raise forms.ValidationError(self.error_messages["invalid_login"], code="invalid_login")
        return address

    def clean(self) -> dict[str, Any]:
        """Check the password, unless too many were tried: then `TooManyGuessesError`, and nothing is looked at."""
        address = self.cleaned_data.get("username")
        if address is None or not self.cleaned_data.get("password"):
            return self.cleaned_data
        with one_guess(self._request, GuessKind.PASSWORD, address):
            return super().clean()


class TimeZoneForm(forms.Form):
    """The organization's time zone, chosen from the IANA names that are places, and UTC."""

    time_zone = forms.ChoiceField(
        label="Time zone",
        help_text="Days, reports and the dates on these pages follow it.",
        error_messages={"invalid_choice": "Choose one of the time zones in the list."},
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"time_zone": current}
        field = self.fields["time_zone"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
        choices = list(_zones())
        if current not in {name for _, group in choices for name, _ in group}:
            choices.insert(0, ("Now", ((current, current),)))
        field.choices = choices


@cache
def _zones() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    names = sorted(name for name in zone_names() if name.partition("/")[0] in _REGIONS)
    regions = groupby(names, key=lambda name: name.partition("/")[0])
    return (
        ("Universal", (("UTC", "UTC"),)),
        *((region, tuple((name, name.replace("_", " ")) for name in group)) for region, group in regions),
    )
