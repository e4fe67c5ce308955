"""What the pages of the sign-in answer with: their frame, their refusals, and where they lead."""

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

NEXT = "next"
SETTINGS_ROUTE = "second_factor_settings"


def page_of(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200, retry_after: int = 0
) -> HttpResponse:
    """A page of the sign-in; it keeps where the person wanted to go. `retry_after` makes it a refusal of many tries."""
    facts = {"account": getattr(request.user, "email", ""), NEXT: _wanted(request), **context}
    status = HTTPStatus.TOO_MANY_REQUESTS if retry_after else status
    page = render(request, f"backoffice/sign_in/{template}.html", facts, status=status)
    if retry_after:
        page.headers["Retry-After"] = str(retry_after)
    return page


def code_list(request: HttpRequest, codes: Sequence[str], *, is_first: bool) -> HttpResponse:
    """The page that shows fresh recovery codes, the only one that ever does. They are in this answer alone."""
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
        "onward": _wanted(request) or reverse("admin:index"),
        "is_first": is_first,
    }
    return page_of(request, "recovery_codes", facts)


def locked_out(request: HttpRequest, refusal: TooManyGuessesError) -> HttpResponse:
    """The answer to too many passwords. Says nothing of whose account it was."""
    seconds = refusal.retry_after_seconds or 1
    return page_of(request, "locked", {"wait": in_words(seconds)}, retry_after=seconds)


def too_many_codes(form: Form, refusal: TooManyGuessesError) -> int:
    """Tell at the field that codes are not looked at for now; answers for how many seconds."""
    seconds = refusal.retry_after_seconds or 1
    form.add_error(
        "code",
        f"Too many wrong codes, so this one was not checked. Wait {in_words(seconds)}, then enter a new one. If "
        "the wrong ones were not yours, someone knows your password: change it and tell a platform admin.",
    )
    return seconds


def refuse(request: HttpRequest, account: str) -> HttpResponse:
    """The answer to somebody without a platform role."""
    return page_of(request, "refused", {"account": account}, status=403)


def way_of(request: HttpRequest, route: str) -> HttpResponse:
    """On to another step, with where the person wanted to go."""
    wanted = _wanted(request)
    query = f"?{urlencode({NEXT: wanted})}" if wanted else ""
    return HttpResponseRedirect(f"{reverse(f'admin:{route}')}{query}")


def leave_to(request: HttpRequest) -> HttpResponse:
    """To where the person wanted to go."""
    return HttpResponseRedirect(_wanted(request) or reverse("admin:index"))


def _wanted(request: HttpRequest) -> str:
    """Where the person wanted to go: an address of ours under the staff plane, or nothing."""
    wanted = request.POST.get(NEXT, request.GET.get(NEXT, ""))
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""
