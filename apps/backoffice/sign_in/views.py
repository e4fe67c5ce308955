"""Views of the sign-in. They need no script and keep the strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.backoffice.sign_in.forms import CodeForm, RecoveryCodeForm
from apps.backoffice.sign_in.oidc import oidc_begin, oidc_callback
from apps.backoffice.sign_in.recovery_codes import CODES_A_PERSON, recovery_codes_make
from apps.backoffice.sign_in.responses import (
    SETTINGS_ROUTE,
    redirect_onward,
    redirect_to_step,
    refuse,
    refuse_code,
    refuse_too_many_passwords,
    render_page,
    show_recovery_codes,
)
from apps.backoffice.sign_in.second_factor import (
    WRONG_CODE,
    WRONG_RECOVERY_CODE,
    confirm_first_code,
    device_to_enrol,
    has_second_factor,
    try_code,
    try_recovery_code,
)
from apps.backoffice.staff import context_of, viewer_of
from apps.core.ids import UserId
from apps.tenants.access import platform_role
from apps.tenants.brute_force import TooManyGuessesError
from apps.tenants.forms import SignInForm
from apps.tenants.known_devices import remember_device
from apps.tenants.models import User
from apps.tenants.sign_in.sessions import is_by_password, mark_by_password

FEW_CODES = 3


def sign_in_routes() -> list[URLPattern]:
    """The only routes of the staff plane that don't require a sign-in."""
    return [
        path("login/", sign_in, name="login"),
        path("login/code/", second_factor, name="second_factor"),
        path("login/recovery/", recover, name="recover"),
        path("login/enrol/", enrol, name="enrol"),
        path("login/oidc/", oidc_begin, name="oidc_begin"),
        path("login/oidc/callback/", oidc_callback, name="oidc_callback"),
        path("logout/", sign_out, name="logout"),
    ]


@sensitive_post_parameters("password")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """First step: e-mail address and password. A signed-in user continues with the missing step."""
    if request.method == "POST":
        return _check_password(request)
    if isinstance(request.user, User):
        return _go_to_next_step(request, request.user)
    return render_page(request, "password", {"form": SignInForm(request)})


@sensitive_post_parameters("code")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Second step with a code of the authenticator."""
    user = request.user
    if not isinstance(user, User) or not _waits_for_code(request, user) or not has_second_factor(user):
        return redirect_to_step(request, "login")
    form = CodeForm(request.POST if request.method == "POST" else None)

    def enter() -> HttpResponse | None:
        return _let_in(request, user) if try_code(request, user, form.cleaned_data["code"]) else None

    return _code_page(request, "code", form, enter, WRONG_CODE)


@sensitive_post_parameters("code")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def recover(request: HttpRequest) -> HttpResponse:
    """Second step with a recovery code."""
    user = request.user
    if not isinstance(user, User) or not _waits_for_code(request, user) or not has_second_factor(user):
        return redirect_to_step(request, "login")
    form = RecoveryCodeForm(request.POST if request.method == "POST" else None)

    def enter() -> HttpResponse | None:
        left = try_recovery_code(request, user, form.cleaned_data["code"])
        if left is None:
            return None
        _report_codes_left(request, left)
        return _let_in(request, user)

    return _code_page(request, "recover", form, enter, WRONG_RECOVERY_CODE)


@sensitive_post_parameters("code")
@csrf_protect
@never_cache
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Second step of the first sign-in: set up the authenticator. Not available after that."""
    user = request.user
    if not isinstance(user, User) or not _waits_for_code(request, user):
        return redirect_to_step(request, "login")
    waiting = device_to_enrol(request, user)
    if waiting is None:
        return redirect_to_step(request, "login")
    form = CodeForm(request.POST if request.method == "POST" and not waiting.is_fresh else None)

    def enter() -> HttpResponse | None:
        if not confirm_first_code(request, user, form.cleaned_data["code"]):
            return None
        codes = recovery_codes_make(context_of(request), user_id=UserId(user.pk))
        return _remember_device(request, show_recovery_codes(request, codes, is_first=True), user)

    shown = {
        "qr_code": waiting.qr_code,
        "secret": waiting.secret,
        "is_replaced": request.method == "POST" and waiting.is_fresh,
    }
    return _code_page(request, "enrol", form, enter, WRONG_CODE, shown)


@csrf_protect
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def _check_password(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request, data=request.POST)
    try:
        if not form.is_valid():
            return render_page(request, "password", {"form": form})
    except TooManyGuessesError as refusal:
        return refuse_too_many_passwords(request, refusal)
    user = form.get_user()
    if platform_role(user) is None:
        # Whoever knows the password may know this much; no session begins.
        return refuse(request, form.cleaned_data["username"])
    login(request, user)
    mark_by_password(request)
    if not has_second_factor(user):
        # Before any page: tabs of this session that open at once show one secret.
        device_to_enrol(request, user)
    return _go_to_next_step(request, user)


def _go_to_next_step(request: HttpRequest, user: User) -> HttpResponse:
    if platform_role(user) is None:
        return refuse(request, user.email)
    if viewer_of(request) is not None:
        return redirect_onward(request)
    if not is_by_password(request):
        # A mailed link, or the tenants' way through the identity service: a code after it would be one factor alone.
        return render_page(request, "password", {"form": SignInForm(request)})
    return redirect_to_step(request, "second_factor" if has_second_factor(user) else "enrol")


def _waits_for_code(request: HttpRequest, user: User) -> bool:
    return platform_role(user) is not None and viewer_of(request) is None and is_by_password(request)


def _code_page(
    request: HttpRequest,
    template: str,
    form: Form,
    enter: Callable[[], HttpResponse | None],
    wrong: str,
    shown: dict[str, Any] | None = None,
) -> HttpResponse:
    """Show the form until `enter` returns a response. Errors and the limit of guesses are shown at the field."""
    wait = 0
    if form.is_valid():
        try:
            answer = enter()
        except TooManyGuessesError as refusal:
            wait = refuse_code(form, refusal)
        else:
            if answer is not None:
                return answer
            form.add_error("code", wrong)
    return render_page(request, template, {"form": form, **(shown or {})}, retry_after=wait)


def _let_in(request: HttpRequest, user: User) -> HttpResponse:
    return _remember_device(request, redirect_onward(request), user)


def _remember_device(request: HttpRequest, answer: HttpResponse, user: User) -> HttpResponse:
    remember_device(request, answer, account=user.email, factors=2)
    return answer


def _report_codes_left(request: HttpRequest, left: int) -> None:
    rest = f"{left} of {CODES_A_PERSON}" if left else "none"
    if left > FEW_CODES:
        messages.info(request, f"You used a recovery code. You have {rest} left.")
        return
    few = f"only {rest}" if left else rest
    new = reverse(f"admin:{SETTINGS_ROUTE}")
    messages.warning(request, f"You used a recovery code. You have {few} left. Create new ones at {new}.")
