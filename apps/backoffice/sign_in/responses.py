"""Responses of the sign-in: pages, refusals and redirects."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from apps.core import clock
from apps.tenants.brute_force import TooManyGuessesError, in_words
from apps.tenants.oidc.provider import is_open_to_staff

NEXT = "next"
SETTINGS_ROUTE = "second_factor_settings"


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200, retry_after: int = 0
) -> HttpResponse:
    """Render a page of the sign-in that keeps `next`. With `retry_after` it is a 429."""
    facts = {
        "account": getattr(request.user, "email", ""),
        "has_identity_service": is_open_to_staff(),
        NEXT: onward_url(request),
        **context,
    }
    status = HTTPStatus.TOO_MANY_REQUESTS if retry_after else status
    page = render(request, f"backoffice/sign_in/{template}.html", facts, status=status)
    if retry_after:
        page.headers["Retry-After"] = str(retry_after)
    return page


def show_recovery_codes(request: HttpRequest, codes: Sequence[str], *, is_first: bool) -> HttpResponse:
    """Show new recovery codes. No other response ever contains them."""
    account = getattr(request.user, "email", "")
    text = "\n".join(
        [
            f"Countinghouse recovery codes of {account}",
            f"Made on {clock.now():%Y-%m-%d} (UTC). Each works once. New codes replace these.",
            "",
            *codes,
            "",
        ]
    )
    facts = {
        "codes": codes,
        "text_address": f"data:text/plain;charset=utf-8,{quote(text)}",
        "onward": onward_url(request) or reverse("admin:index"),
        "is_first": is_first,
    }
    return render_page(request, "recovery_codes", facts)


def refuse_too_many_passwords(request: HttpRequest, refusal: TooManyGuessesError) -> HttpResponse:
    """Refuse after too many wrong passwords, without saying whether the account exists."""
    seconds = refusal.retry_after_seconds or 1
    return render_page(request, "locked", {"wait": in_words(seconds)}, retry_after=seconds)


def refuse_code(form: Form, refusal: TooManyGuessesError) -> int:
    """Add the refusal to the form's code field, and return for how many seconds codes are refused."""
    seconds = refusal.retry_after_seconds or 1
    form.add_error(
        "code",
        f"Too many wrong codes, so we did not check this one. Wait {in_words(seconds)}, then enter a new one. If "
        "the wrong ones were not yours, someone knows your password: change it and tell a platform admin.",
    )
    return seconds


def refuse(request: HttpRequest, account: str) -> HttpResponse:
    """Refuse a person without a platform role."""
    return render_page(request, "refused", {"account": account}, status=403)


def redirect_to_step(request: HttpRequest, route: str) -> HttpResponse:
    """Redirect to another step of the sign-in, keeping `next`."""
    wanted = onward_url(request)
    query = f"?{urlencode({NEXT: wanted})}" if wanted else ""
    return HttpResponseRedirect(f"{reverse(f'admin:{route}')}{query}")


def redirect_onward(request: HttpRequest) -> HttpResponse:
    """Redirect to `next`, or to the overview."""
    return HttpResponseRedirect(onward_url(request) or reverse("admin:index"))


def onward_url(request: HttpRequest) -> str:
    """The value of `next` if it is a URL of this host, else an empty string."""
    wanted = request.POST.get(NEXT, request.GET.get(NEXT, ""))
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""
