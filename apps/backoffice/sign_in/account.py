"""The page of one's own second factor: how many recovery codes are left, and new ones against a code."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from apps.backoffice.sign_in.answers import code_list, page_of, too_many_codes
from apps.backoffice.sign_in.forms import CodeForm
from apps.backoffice.sign_in.recovery_codes import CODES_A_PERSON, codes_left, recovery_codes_make
from apps.backoffice.sign_in.second_factor import WRONG_CODE, code_is_right
from apps.backoffice.staff import context_of
from apps.core.ids import UserId
from apps.tenants.brute_force import TooManyGuessesError
from apps.tenants.models import User


def second_factor_settings(request: HttpRequest) -> HttpResponse:
    """Show what is left. New codes want a code of the authenticator: an unattended session must not be enough."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - the site's guard stands before; for the type checker
    form = CodeForm(request.POST if request.method == "POST" else None)
    form.fields["code"].widget.attrs.pop("autofocus", None)
    wait = 0
    if form.is_valid():
        try:
            if code_is_right(request, user, form.cleaned_data["code"]):
                return code_list(
                    request, recovery_codes_make(context_of(request), user_id=UserId(user.pk)), is_first=False
                )
            form.add_error("code", WRONG_CODE)
        except TooManyGuessesError as refusal:
            wait = too_many_codes(form, refusal)
    left = codes_left(UserId(user.pk))
    return page_of(request, "settings", {"form": form, "left": left, "in_all": CODES_A_PERSON}, retry_after=wait)
