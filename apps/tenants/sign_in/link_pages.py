"""The page that a mailed link leads to. To look at it changes nothing, since mail scanners do; its button does."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core.errors import UnprocessableError
from apps.core.observability.requests import current_request_id
from apps.tenants.access import account_context
from apps.tenants.enums import LinkKind
from apps.tenants.known_devices import remember_device
from apps.tenants.link_rules import LinkState
from apps.tenants.models import SignInLink
from apps.tenants.selectors.links import link_by_token
from apps.tenants.services import sign_in_link_use
from apps.tenants.services.sign_in_links import SETS_PASSWORD, LinkRefusedError, link_state
from apps.tenants.sign_in.forms import NewPasswordForm
from apps.tenants.sign_in.sessions import Method, begin_session


@dataclass(frozen=True, slots=True)
class _Words:
    """What the page says of a link that can't be used."""

    status: HTTPStatus
    title: str
    why: str
    remedy: str


_ANEW = "Ask for a new one on the sign-in page."
_WORDS = {
    LinkState.UNKNOWN: _Words(
        HTTPStatus.NOT_FOUND,
        "This link does not work",
        "The address is incomplete or wrong. Some mail programs cut long links.",
        "Copy the whole address from the mail into the browser, or ask for a new link on the sign-in page.",
    ),
    LinkState.USED: _Words(HTTPStatus.GONE, "This link was already used", "Each link works once.", _ANEW),
    LinkState.LATE: _Words(HTTPStatus.GONE, "This link has expired", "Links work for a limited time only.", _ANEW),
    LinkState.REPLACED: _Words(
        HTTPStatus.GONE,
        "This link was replaced",
        "A newer link was sent, or the account has changed since.",
        "Use the link of the newest mail, or ask for a new one on the sign-in page.",
    ),
    LinkState.CLOSED: _Words(
        HTTPStatus.GONE,
        "This organization is closed",
        "The organization that invited you has been closed.",
        "If that surprises you, ask the person there who invited you.",
    ),
    LinkState.NOT_A_MEMBER: _Words(
        HTTPStatus.GONE,
        "You are no longer a member",
        "Your membership of the organization that invited you has ended.",
        "If that surprises you, ask an admin of the organization.",
    ),
    LinkState.NOT_FOR_YOU: _Words(
        HTTPStatus.FORBIDDEN,
        "You can't sign in with a link",
        "The account is deactivated, or it uses another way to sign in.",
        "Use the sign-in page. If that does not help, ask an admin of your organization.",
    ),
    LinkState.OF_ANOTHER_PERSON: _Words(
        HTTPStatus.CONFLICT,
        "Someone else is signed in here",
        "This link is for a different person than the one signed in in this browser.",
        "Sign out first, then open the link again. It works until it expires.",
    ),
}


@sensitive_post_parameters("new_password1", "new_password2")
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Say what the link is for and offer the button; on POST use it and sign the person in."""
    link = link_by_token(token)
    state = link_state(link)
    if state is LinkState.OPEN and link is not None and _is_other_person(request, link):
        state = LinkState.OF_ANOTHER_PERSON
    if link is None or state is not LinkState.OPEN:
        return _show_refusal(request, state)
    return _show_or_use(request, link)


def _is_other_person(request: HttpRequest, link: SignInLink) -> bool:
    return request.user.is_authenticated and request.user.pk != link.user_id


def _show_or_use(request: HttpRequest, link: SignInLink) -> HttpResponse:
    form = NewPasswordForm(link.user, request.POST or None) if link.kind in SETS_PASSWORD else None
    if request.method != "POST" or (form is not None and not form.is_valid()):
        return _page(request, link, form)
    password = form.cleaned_data["new_password1"] if form is not None else ""
    context = account_context(link.user, request_id=current_request_id())
    try:
        user = sign_in_link_use(context, link_id=link.pk, password=password)
    except LinkRefusedError as refusal:
        return _show_refusal(request, refusal.state)
    except UnprocessableError as error:
        assert form is not None  # noqa: S101 - only a password is refused so; for the type checker
        form.add_error("new_password1", error.detail)
        return _page(request, link, form)
    begin_session(request, user, Method.LINK)
    if form is not None:
        messages.success(request, "Your password is set, and you are signed in.")
    answer = HttpResponseRedirect(reverse("billing-home"))
    # Whoever is kept out by strangers' guesses gets in by a link, and is known from then on.
    remember_device(request, answer, account=user.email, factors=1)
    return answer


def _page(request: HttpRequest, link: SignInLink, form: NewPasswordForm | None) -> HttpResponse:
    titles = {
        LinkKind.INVITATION: "Welcome",
        LinkKind.PASSWORD_RESET: "Choose a new password",
        LinkKind.SIGN_IN: "Sign in",
    }
    facts: dict[str, Any] = {"title": titles[LinkKind(link.kind)], "link": link, "form": form}
    return render(request, "billing/link.html", facts)


def _show_refusal(request: HttpRequest, state: LinkState) -> HttpResponse:
    """The page of a link that can't be used, or not by the person who is signed in."""
    words = _WORDS[state]
    facts = {"title": words.title, "words": words, "is_of_another": state is LinkState.OF_ANOTHER_PERSON}
    return render(request, "billing/link_refused.html", facts, status=words.status)
