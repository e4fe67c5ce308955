"""The pages of the sign-in. They need no script and keep the strict Content-Security-Policy."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.backoffice.sign_in.forms import CodeForm
from apps.backoffice.sign_in.second_factor import code_check, device_to_enrol, has_second_factor, qr_code, secret_text
from apps.backoffice.staff import viewer_of
from apps.tenants.forms import SignInForm
from apps.tenants.models import User
from apps.tenants.selectors.access import platform_role

NEXT = "next"


@sensitive_post_parameters("password")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """First step: e-mail address and password. Who is signed in already goes on to the step that is missing."""
    if request.method == "POST":
        return _check_password(request)
    if isinstance(request.user, User):
        return _go_on(request, request.user)
    return _page(request, "password", {"form": SignInForm(request)})


@sensitive_post_parameters("code")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Second step of everyone who has enrolled."""
    user = request.user
    if not isinstance(user, User) or not _waits_for_code(request, user) or not has_second_factor(user):
        return _step(request, "login")
    return _code_page(request, user, "code", enrolling=False)


@sensitive_post_parameters("code")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Second step of the first sign-in. Closed for good once a device is confirmed."""
    user = request.user
    if not isinstance(user, User) or not _waits_for_code(request, user) or has_second_factor(user):
        return _step(request, "login")
    device = device_to_enrol(user)
    shown = {"qr_code": qr_code(device), "secret": secret_text(device)}
    return _code_page(request, user, "enrol", enrolling=True, shown=shown)


@csrf_protect
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, at whichever step it is."""
    logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The answer to too many wrong passwords; django-axes puts it in the place of ours. Says nothing of the address."""
    cool_off = get_cool_off(request)
    seconds = int(cool_off.total_seconds()) if cool_off is not None else 0
    page = render(request, "backoffice/sign_in/locked.html", {"minutes": -(-seconds // 60)}, status=429)
    page["Retry-After"] = str(seconds)
    return page


def _check_password(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request, data=request.POST)
    if not form.is_valid():
        return _page(request, "password", {"form": form})
    user = form.get_user()
    if platform_role(user) is None:
        # Whoever knows the password may know this much; no session begins.
        return _refuse(request, form.cleaned_data["username"])
    login(request, user)
    return _go_on(request, user)


def _go_on(request: HttpRequest, user: User) -> HttpResponse:
    if platform_role(user) is None:
        return _refuse(request, user.email)
    if viewer_of(request) is not None:
        return HttpResponseRedirect(_next(request))
    return _step(request, "second_factor" if has_second_factor(user) else "enrol")


def _waits_for_code(request: HttpRequest, user: User) -> bool:
    return platform_role(user) is not None and viewer_of(request) is None


def _code_page(
    request: HttpRequest, user: User, template: str, *, enrolling: bool, shown: dict[str, str] | None = None
) -> HttpResponse:
    form = CodeForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_valid():
        check = code_check(request, user, form.cleaned_data["code"], enrolling=enrolling)
        if check.is_right:
            return HttpResponseRedirect(_next(request))
        form.add_error("code", check.refusal)
        status = 429 if check.wait_seconds else 200
    return _page(request, template, {"form": form, "account": user.email, **(shown or {})}, status=status)


def _refuse(request: HttpRequest, address: str) -> HttpResponse:
    return render(request, "backoffice/sign_in/refused.html", {"account": address}, status=403)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, f"backoffice/sign_in/{template}.html", {**context, "next": _wanted(request)}, status=status)


def _step(request: HttpRequest, route: str) -> HttpResponse:
    wanted = _wanted(request)
    query = f"?{urlencode({NEXT: wanted})}" if wanted else ""
    return HttpResponseRedirect(f"{reverse(f'admin:{route}')}{query}")


def _wanted(request: HttpRequest) -> str:
    """Where the person wanted to go: an address of ours under the staff plane, or nothing."""
    wanted = request.POST.get(NEXT, request.GET.get(NEXT, ""))
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""


def _next(request: HttpRequest) -> str:
    return _wanted(request) or reverse("admin:index")
