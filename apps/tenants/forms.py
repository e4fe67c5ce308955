"""The forms of the tenants app's pages."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest

from apps.core.emails import LONGEST_EMAIL, email_to_find
from apps.core.enums import Role
from apps.core.moments import zone_names
from apps.core.operations import TENANT_LADDER
from apps.tenants.brute_force import one_guess
from apps.tenants.guess_limits import GuessKind

# Offered while typing: places of every offset in which many people live.
USUAL_ZONES = (
    *("UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage"),
    *("America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago", "America/Denver", "America/Halifax"),
    *("America/Lima", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Phoenix"),
    *("America/Santiago", "America/Sao_Paulo", "America/Toronto", "America/Vancouver", "Asia/Bangkok", "Asia/Dhaka"),
    *("Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kathmandu"),
    *("Asia/Kolkata", "Asia/Manila", "Asia/Riyadh", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Taipei"),
    *("Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide"),
    *("Australia/Brisbane", "Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens"),
    *("Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Copenhagen", "Europe/Dublin"),
    *("Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid"),
    *("Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna"),
    *("Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu"),
)


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


def offered_roles(own: Role) -> list[tuple[str, str]]:
    """The roles that somebody of the role `own` may give, the least first."""
    if own not in TENANT_LADDER:
        return []
    return [(role.value, role.label) for role in reversed(TENANT_LADDER[TENANT_LADDER.index(own) :])]


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.CharField(
        label="E-mail address",
        max_length=LONGEST_EMAIL,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(label="Name", max_length=200, required=False)
    role = forms.ChoiceField(label="Role", error_messages={"invalid_choice": "Choose one of the roles in the list."})

    def __init__(self, data: Any = None, *, own: Role) -> None:
        super().__init__(data)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above; for the type checker
        field.choices = offered_roles(own)


class TimeZoneForm(forms.Form):
    """The organization's time zone: any place of the IANA database, typed, with the usual ones offered.

    A list of all 600 places would be most of the page.
    """

    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        help_text="Days, reports and the dates on these pages follow it. Type a city, such as Berlin or Asia/Tokyo.",
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"time_zone": current}
        self._current = current

    @property
    def offered(self) -> Sequence[str]:
        """The zones to choose from while typing."""
        return USUAL_ZONES

    def clean_time_zone(self) -> str:
        """The zone's name, however it was typed; the one that is set now always counts."""
        text = self.cleaned_data["time_zone"].strip()
        found = text if text == self._current else find_zone(text)
        if not found:
            near = get_close_matches(text.replace(" ", "_"), sorted(zone_names()), n=1)
            hint = f" Did you mean {near[0]}?" if near else " Use a name such as Europe/Berlin, or UTC."
            raise forms.ValidationError(f"There is no such time zone.{hint}")
        return found


class BillingEmailForm(forms.Form):
    """Where payment providers send invoices and receipts."""

    billing_email = forms.CharField(
        label="Billing e-mail",
        max_length=LONGEST_EMAIL,
        required=False,
        help_text="Invoices and receipts go there. Empty: to an owner.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )


def find_zone(text: str) -> str:
    """The IANA name that is meant by a name or by a city, in whatever letters; empty where there is none.

    Of several names of one city the shortest counts: they are old and new names of the same place.
    """
    wanted = "_".join(text.lower().split())
    named = {name.lower(): name for name in zone_names()}
    cities = [name for name in named.values() if name.lower().rpartition("/")[2] == wanted]
    return named.get(wanted) or min(cities, key=lambda name: (len(name), name), default="")
