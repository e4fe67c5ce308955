"""The form of the second factor; that of the password is the tenants' own."""

from __future__ import annotations

import re

from django import forms

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


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
