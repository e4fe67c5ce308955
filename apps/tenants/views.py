"""Signing in and out of the tenant plane, and the way from there to a workspace."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from apps.core.ids import UserId
from apps.tenants.brute_force import TooManyGuessesError, in_words
from apps.tenants.forms import SignInForm
from apps.tenants.known_devices import remember_device
from apps.tenants.models import User, Workspace
from apps.tenants.selectors.organizations import workspaces_of

LISTED_AT_MOST = 100
DEMOS_AT_MOST = 5
# Fewer can be looked over; more deserve a search.
SEARCH_FROM = 10


@require_safe
def start_page(request: HttpRequest) -> HttpResponse:
    """The first page that anybody opens: what this is, and where tenants and staff sign in."""
    return render(request, "billing/start.html", {"title": "Billing and credits"})


class SignIn(LoginView):
    """E-mail address and password. Says the same of an unknown address and of a wrong password."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "post"]  # type: ignore[misc]
    authentication_form = SignInForm
    template_name = "billing/sign_in.html"
    redirect_authenticated_user = True
    extra_context: ClassVar[dict[str, Any]] = {"title": "Sign in"}  # type: ignore[misc]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the password, within the limits on guesses, where people sign in by one at all."""
        if not settings.PASSWORD_SIGN_IN:
            return HttpResponseRedirect(reverse("sign-in"))
        try:
            return super().post(request, *args, **kwargs)
        except TooManyGuessesError as refusal:
            return show_locked_out(request, refusal)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offered = {"has_password": settings.PASSWORD_SIGN_IN, "has_identity_service": bool(settings.OIDC_ISSUER)}
        return {**super().get_context_data(**kwargs), **offered}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in and remember the browser."""
        answer = super().form_valid(form)
        remember_device(self.request, answer, account=form.cleaned_data["username"], factors=1)
        return answer

    def get_default_redirect_url(self) -> str:
        return reverse("billing-home")

    def get_redirect_url(self) -> str:
        """An address of ours among the billing pages, or nothing: no other `next` is followed."""
        return safe_next(self.request, super().get_redirect_url())


def safe_next(request: HttpRequest, wanted: str) -> str:
    """The address that a sign-in leads to if it is one of the billing pages; else nothing."""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours and wanted.isprintable() and wanted.startswith(reverse("billing-home")) else ""


@csrf_protect
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session. POST only: a link on somebody else's page must not sign anybody out."""
    logout(request)
    messages.success(request, "You are signed out.")
    return HttpResponseRedirect(_after_sign_out(request.POST.get("next", "")))


def _after_sign_out(wanted: str) -> str:
    """The link that was for another person, or the sign-in page."""
    is_link = wanted.isprintable() and wanted.startswith(("/sign-in/link/", "/portal/")) and "\\" not in wanted
    return wanted if is_link else reverse("sign-in")


def show_locked_out(request: HttpRequest, refusal: TooManyGuessesError) -> HttpResponse:
    """Answer 429. The page does not say which account was tried."""
    seconds = refusal.retry_after_seconds or 1
    page = render(
        request, "billing/locked_out.html", {"wait": in_words(seconds), "title": "Too many tries"}, status=429
    )
    page.headers["Retry-After"] = str(seconds)
    return page


@require_safe
def billing_home(request: HttpRequest) -> HttpResponseBase:
    """The workspaces of the signed-in person; with exactly one, straight to it unless `all` is asked for."""
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(request.get_full_path())
    wanted = request.GET.get("q", "").strip()[:200]
    found = list(workspaces_of(UserId(user.pk), matching=wanted)[: LISTED_AT_MOST + 1])
    if len(found) == 1 and not wanted and "all" not in request.GET:
        return HttpResponseRedirect(reverse("billing-workspace", args=[found[0].slug]))
    facts = {
        "title": "Workspaces",
        "workspaces": found[:LISTED_AT_MOST],
        "has_more": len(found) > LISTED_AT_MOST,
        "listed_at_most": LISTED_AT_MOST,
        "wanted": wanted,
        "has_search": bool(wanted) or len(found) >= SEARCH_FROM,
        "demos": _demo_workspaces(),
    }
    return render(request, "billing/home.html", facts)


def _demo_workspaces() -> QuerySet[Workspace]:
    """Workspaces of demo organizations, which any signed-in user may look at (spec 02)."""
    return (
        Workspace.objects.filter(organization__is_demo=True, organization__closed_at__isnull=True)
        .select_related("organization")
        .order_by("organization__name", "name", "pk")[:DEMOS_AT_MOST]
    )
