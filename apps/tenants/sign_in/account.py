"""The page of one's own account: who is signed in, and a new password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core.errors import CountinghouseError
from apps.core.ids import UserId
from apps.core.observability.requests import current_request_id
from apps.tenants.access import account_context
from apps.tenants.brute_force import TooManyGuessesError
from apps.tenants.models import User
from apps.tenants.services import password_change
from apps.tenants.sign_in.forms import ChangePasswordForm, NewPasswordForm
from apps.tenants.sign_in.sessions import is_fresh_by_link
from apps.tenants.views import show_locked_out


@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponseBase:
    """Show the account; on POST change its password, which takes the old one or a fresh sign-in by link."""
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(reverse("account"))
    form = _choose_form(request, user)
    if form is None:
        if request.method == "POST":
            return _show(request, None, status=403)
        return _show(request, None)
    try:
        is_valid = request.method == "POST" and form.is_valid()
    except TooManyGuessesError as refusal:
        return show_locked_out(request, refusal)
    answer = _change_password(request, user, form) if is_valid else None
    return answer or _show(request, form)


def _choose_form(request: HttpRequest, user: User) -> NewPasswordForm | None:
    """The form that this person needs; None where the password is changed elsewhere."""
    if user.is_staff or not settings.PASSWORD_SIGN_IN:
        return None
    sent = request.POST if request.method == "POST" else None
    if is_fresh_by_link(request) or not user.has_usable_password():
        # Without a password there is none to ask for; such a session was begun by a link, which must be fresh.
        return NewPasswordForm(user, sent) if is_fresh_by_link(request) else None
    return ChangePasswordForm(request, user, sent)


def _change_password(request: HttpRequest, user: User, form: NewPasswordForm) -> HttpResponse | None:
    context = account_context(user, request_id=current_request_id())
    try:
        changed = password_change(context, user_id=UserId(user.pk), password=form.cleaned_data["new_password1"])
    except CountinghouseError as error:
        form.add_error(None, error.detail)
        return None
    update_session_auth_hash(request, changed)
    messages.success(request, "Your password is changed. Your other sessions have ended.")
    return HttpResponseRedirect(reverse("account"))


def _show(request: HttpRequest, form: NewPasswordForm | None, status: int = 200) -> HttpResponse:
    facts = {"title": "Your account", "form": form, "is_password_offered": settings.PASSWORD_SIGN_IN}
    return render(request, "billing/account_page.html", facts, status=status)
