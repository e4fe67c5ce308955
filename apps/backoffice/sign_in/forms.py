"""Forms of the second factor. The password form is in `apps.tenants.forms`."""

from __future__ import annotations

import re

from django import forms

from apps.backoffice.sign_in.recovery_codes import normal_code

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


class CodeForm(forms.Form):
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


class RecoveryCodeForm(forms.Form):
    code = forms.CharField(
        label="Recovery code",
        max_length=60,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "autofocus": True,
                "placeholder": "XXXX-XXXX-XXXX-XXXX",
                "spellcheck": "false",
            }
        ),
    )

    def clean_code(self) -> str:
        """Sixteen characters, however they are grouped."""
        code = normal_code(str(self.cleaned_data["code"]))
        if code is None:
            raise forms.ValidationError(
                "A recovery code has 16 letters and digits in four groups, such as 7KQD-M3XA-9TRE-2HWB."
            )
        return code
