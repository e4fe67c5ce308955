"""The pages of one's own account: change the password, and make new recovery codes.

A changed password ends every other session of the person (Django's session hash).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from apps.backoffice.events import PASSWORD_CHANGED
from apps.backoffice.sign_in.forms import CodeForm
from apps.backoffice.sign_in.recovery_codes import CODES_A_PERSON, codes_left, recovery_codes_make
from apps.backoffice.sign_in.responses import refuse_code, refuse_too_many_passwords, render_page, show_recovery_codes
from apps.backoffice.sign_in.second_factor import WRONG_CODE, has_second_factor, try_code
from apps.backoffice.staff import context_of
from apps.core.audit import audit_append
from apps.core.ids import UserId
from apps.tenants.brute_force import TooManyGuessesError, one_guess
from apps.tenants.guess_limits import GuessKind
from apps.tenants.models import User

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm
else:
    from unfold.forms import AdminOwnPasswordChangeForm as PasswordChangeForm


class OwnPasswordForm(PasswordChangeForm):
    """Counts a wrong old password as a failed sign-in."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request.user, *args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        """Check the old password. Raises `TooManyGuessesError`."""
        with one_guess(self._request, GuessKind.PASSWORD, self.user.get_username()):
            return str(super().clean_old_password())


def change_password(request: HttpRequest) -> HttpResponse:
    """Ask for the old password and the new one twice. Not Django's view, which does not write to the audit log."""
    form = OwnPasswordForm(request, data=request.POST if request.method == "POST" else None)
    try:
        is_valid = form.is_valid()
    except TooManyGuessesError as refusal:
        return refuse_too_many_passwords(request, refusal)
    if is_valid:
        with transaction.atomic():
            user = form.save()
            audit_append(context_of(request), PASSWORD_CHANGED, user.audit_target)
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed. Your other sessions were signed out.")
        return HttpResponseRedirect(reverse("admin:index"))
    context = {**admin.site.each_context(request), "title": "Change password", "form": form}
    return render(request, "registration/password_change_form.html", context)


def second_factor_settings(request: HttpRequest) -> HttpResponse:
    """Show how many recovery codes are left. New ones need a code, so that an unattended session is not enough."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - the site's guard stands before; for the type checker
    form = CodeForm(request.POST if request.method == "POST" else None)
    form.fields["code"].widget.attrs.pop("autofocus", None)
    wait = 0
    if form.is_valid():
        try:
            if try_code(request, user, form.cleaned_data["code"]):
                return show_recovery_codes(
                    request, recovery_codes_make(context_of(request), user_id=UserId(user.pk)), is_first=False
                )
            form.add_error("code", WRONG_CODE)
        except TooManyGuessesError as refusal:
            wait = refuse_code(form, refusal)
    left = codes_left(UserId(user.pk))
    facts = {"form": form, "left": left, "in_all": CODES_A_PERSON, "has_authenticator": has_second_factor(user)}
    return render_page(request, "settings", facts, retry_after=wait)
