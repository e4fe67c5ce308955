"""`Forgot your password?`: the same answer for every address, after the same work."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.observability.requests import current_request_id
from apps.tenants.access import task_context
from apps.tenants.brute_force import TooManyGuessesError, begin_guess, in_words
from apps.tenants.guess_limits import GuessKind
from apps.tenants.services import password_reset_request
from apps.tenants.sign_in.forms import ForgotPasswordForm


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def forgot_password(request: HttpRequest) -> HttpResponse:
    """Ask for the address; a worker looks it up and mails the link."""
    if not settings.PASSWORD_SIGN_IN:
        return HttpResponseRedirect(reverse("sign-in"))
    form = ForgotPasswordForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "billing/forgot.html", {"title": "Forgot your password?", "form": form})
    # Nobody is known here yet, so the sign-in itself is who acts.
    context = task_context("forgot-password", request_id=current_request_id())
    email = form.cleaned_data["email"]
    try:
        begin_guess(request, GuessKind.MAIL, email)  # every request counts, so none is given back
    except TooManyGuessesError as refusal:
        return _too_many(request, refusal.retry_after_seconds or 1)
    password_reset_request(context, email=email)
    return HttpResponseRedirect(reverse("forgot-password-sent"))


@require_safe
def forgot_password_sent(request: HttpRequest) -> HttpResponse:
    """Say what happens next; the page is the same for every address."""
    return render(request, "billing/forgot_sent.html", {"title": "Check your mailbox"})


def _too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    facts = {"title": "Too many tries", "wait": in_words(seconds)}
    page = render(request, "billing/forgot_too_often.html", facts, status=HTTPStatus.TOO_MANY_REQUESTS)
    page.headers["Retry-After"] = str(seconds)
    return page
