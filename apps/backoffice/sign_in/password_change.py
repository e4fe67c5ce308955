"""Changing one's own password: ends every other session of the person (Django's session hash), and is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from apps.backoffice.events import PASSWORD_CHANGED
from apps.backoffice.sign_in.answers import locked_out
from apps.backoffice.staff import context_of
from apps.core.audit import audit_append
from apps.tenants.brute_force import TooManyGuessesError, one_guess
from apps.tenants.guess_limits import Door

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm
else:
    from unfold.forms import AdminOwnPasswordChangeForm as PasswordChangeForm


class OwnPasswordForm(PasswordChangeForm):
    """The old password is a guess like one at the sign-in, and counted with those."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request.user, *args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        """Check the old password. Raises `TooManyGuessesError`."""
        with one_guess(self._request, Door.PASSWORD, self.user.get_username()):
            return str(super().clean_old_password())


def change_password(request: HttpRequest, page_context: dict[str, Any]) -> HttpResponse:
    """Ask for the old password and the new one twice; the new one must pass the validators."""
    form = OwnPasswordForm(request, data=request.POST if request.method == "POST" else None)
    try:
        is_valid = form.is_valid()
    except TooManyGuessesError as refusal:
        return locked_out(request, refusal)
    if is_valid:
        with transaction.atomic():
            user = form.save()
            audit_append(context_of(request), PASSWORD_CHANGED, user.audit_target)
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed. Your other sessions have ended.")
        return HttpResponseRedirect(reverse("admin:index"))
    return render(
        request, "registration/password_change_form.html", {**page_context, "title": "Change password", "form": form}
    )
