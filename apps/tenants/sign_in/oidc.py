"""The way to the identity service and back. Both are GET requests that a browser follows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.core.observability.requests import current_request_id
from apps.tenants.oidc.attempts import Door, come_back, set_out, user_of
from apps.tenants.oidc.provider import is_configured
from apps.tenants.oidc.refusals import OidcError, OidcRefusal
from apps.tenants.sign_in.sessions import Method, begin_session
from apps.tenants.views import safe_next

logger = logging.getLogger(__name__)

_DOOR = Door("oidc_attempts", "oidc-callback")


@dataclass(frozen=True, slots=True)
class Words:
    """A refusal as its page tells it."""

    status: HTTPStatus
    title: str
    why: str
    remedy: str = "Try to sign in again. If this page comes back, give your admin the request number below."


WORDS = {
    OidcRefusal.NOT_BEGUN: Words(
        HTTPStatus.BAD_REQUEST,
        "This sign-in did not start here",
        "The answer of the identity service belongs to no sign-in of this browser, or was used already.",
        "Start again from the sign-in page, in this browser.",
    ),
    OidcRefusal.LATE: Words(
        HTTPStatus.BAD_REQUEST,
        "That took too long",
        "A sign-in must be finished within ten minutes.",
        "Start again from the sign-in page.",
    ),
    OidcRefusal.CANCELLED: Words(
        HTTPStatus.FORBIDDEN,
        "You did not sign in",
        "The identity service says that the sign-in was cancelled or not allowed.",
        "Start again from the sign-in page, or ask your admin whether your account may use these pages.",
    ),
    OidcRefusal.PROVIDER_ERROR: Words(
        HTTPStatus.BAD_GATEWAY,
        "The identity service refused the sign-in",
        "It answered with an error instead of telling us who you are.",
    ),
    OidcRefusal.UNAVAILABLE: Words(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity service can't be reached",
        "It does not answer at the moment, or not in a way that we understand.",
        "Wait a minute, then try to sign in again.",
    ),
    OidcRefusal.WRONG_ISSUER: Words(
        HTTPStatus.FORBIDDEN,
        "This answer comes from elsewhere",
        "The answer names another identity service than the one that you were sent to.",
    ),
    OidcRefusal.BAD_TOKEN: Words(
        HTTPStatus.FORBIDDEN,
        "The answer of the identity service is not valid",
        "We could not verify what it says about you, so we did not use it.",
    ),
    OidcRefusal.UNKNOWN_PERSON: Words(
        HTTPStatus.FORBIDDEN,
        "You have no account here yet",
        "The identity service knows you, but no product has added you here.",
        "Ask an admin of your organization to add you in the product that you use.",
    ),
    OidcRefusal.DEACTIVATED: Words(
        HTTPStatus.FORBIDDEN,
        "This account is deactivated",
        "The identity service knows you, but your account here is switched off.",
        "Ask an admin of your organization.",
    ),
    OidcRefusal.STAFF: Words(
        HTTPStatus.FORBIDDEN,
        "Staff sign in at the back office",
        "Yours is a staff account, which takes a second factor.",
        "Open the back office and sign in there.",
    ),
}
"""For tenants. The staff's door (apps.backoffice.sign_in.oidc) has words of its own for who may not enter there."""


@require_GET
def oidc_begin(request: HttpRequest) -> HttpResponse:
    """302 to the identity service."""
    wanted = safe_next(request, request.GET.get("next", ""))
    if not is_configured() or request.user.is_authenticated:
        return HttpResponseRedirect((wanted or reverse("billing-home")) if is_configured() else reverse("sign-in"))
    try:
        return HttpResponseRedirect(set_out(request, _DOOR, wanted))
    except OidcError as error:
        return _show_refusal(request, error)


@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    """Verify the answer and sign the person in, or show why not."""
    try:
        answer = come_back(request, _DOOR)
        user = user_of(answer.subject)
        if user.is_staff:
            raise OidcError(OidcRefusal.STAFF, f"user {user.pk} is staff")  # noqa: TRY301 - told as the others are
    except OidcError as error:
        if error.refusal is OidcRefusal.NOT_BEGUN and request.user.is_authenticated:
            # The page that signed them in was loaded again.
            return HttpResponseRedirect(reverse("billing-home"))
        return _show_refusal(request, error)
    begin_session(request, user, Method.IDENTITY_SERVICE)
    return HttpResponseRedirect(answer.wanted or reverse("billing-home"))


def log_refusal(error: OidcError) -> None:
    logger.warning("oidc_refused", extra={"refusal": error.refusal.value, "fact": error.fact})


def _show_refusal(request: HttpRequest, error: OidcError) -> HttpResponse:
    words = WORDS[error.refusal]
    log_refusal(error)
    facts = {
        "title": words.title,
        "words": words,
        "is_staff_door": error.refusal is OidcRefusal.STAFF,
        "request_id": current_request_id(),
    }
    page = render(request, "billing/oidc_refused.html", facts, status=words.status)
    if words.status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["Retry-After"] = "60"
    return page
