"""The forms of the sign-in."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


class SignInForm(AuthenticationForm):
    """E-mail address and password. An unknown address and a wrong password are refused with the same sentence."""

    error_messages = {  # noqa: RUF012 - Django's own declaration is a plain class attribute
        "invalid_login": "That e-mail address and password do not belong together.",
        "inactive": "That e-mail address and password do not belong together.",
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        address = self.fields["username"]
        address.label = "E-mail address"
        address.widget = forms.EmailInput(
            attrs={"autocomplete": "username", "autofocus": True, "maxlength": 254, "spellcheck": "false"}
        )

    def clean_username(self) -> str:
        """In the form in which it is stored, so that no variant of an address is counted on its own (django-axes)."""
        return str(self.cleaned_data["username"]).strip().lower()


class CodeForm(forms.Form):
    """The six digits that the authenticator shows."""

    code = forms.CharField(
        label="6-digit code",
        max_length=16,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "spellcheck": "false"}
        ),
    )

    def clean_code(self) -> str:
        """Six ASCII digits; spaces are how people group them."""
        code = "".join(str(self.cleaned_data["code"]).split())
        if not _CODE.fullmatch(code):
            raise forms.ValidationError("Enter the six digits that your authenticator shows now.")
        return code
