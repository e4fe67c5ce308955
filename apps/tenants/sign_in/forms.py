"""The forms about passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest

from apps.core.emails import LONGEST_EMAIL
from apps.tenants.brute_force import one_guess
from apps.tenants.guess_limits import GuessKind
from apps.tenants.models import User

if TYPE_CHECKING:
    _SetPasswordForm = SetPasswordForm[User]
else:
    _SetPasswordForm = SetPasswordForm


class ForgotPasswordForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=LONGEST_EMAIL,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True, "spellcheck": "false"}),
        error_messages={
            "required": "Enter your e-mail address.",
            "invalid": "Enter an e-mail address, such as ann@example.com.",
        },
    )


class NewPasswordForm(_SetPasswordForm):
    error_messages = {  # noqa: RUF012 - Django's own declaration is a plain class attribute
        "password_mismatch": "The two passwords are not the same. Type the new one twice.",
    }

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        first, again = self.fields["new_password1"], self.fields["new_password2"]
        first.label, again.label = "New password", "New password again"
        first.help_text, again.help_text = "At least 12 characters. A few words that only you would put together.", ""
        for field in (first, again):
            # Longer ones would only keep the hash busy.
            field.widget.attrs["maxlength"] = 256

    def clean_new_password1(self) -> str:
        """Limit the length; Django's field has no limit."""
        password = str(self.cleaned_data["new_password1"])
        if len(password) > 256:  # noqa: PLR2004 - as above
            raise forms.ValidationError("A password has at most 256 characters here.")
        return password


class ChangePasswordForm(NewPasswordForm):
    """The old password, then a new one. Wrong old ones are counted like failed sign-ins."""

    old_password = forms.CharField(
        label="Current password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("old_password", "new_password1", "new_password2")

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """A guess like one at the sign-in, and counted with those. Raises `TooManyGuessesError`."""
        password = str(self.cleaned_data["old_password"])
        with one_guess(self.request, GuessKind.PASSWORD, self.user.email):
            if not self.user.check_password(password):
                raise forms.ValidationError("Wrong password. Forgot it? Sign out and ask for a new one.")
        return password
