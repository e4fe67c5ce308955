"""Staff by the company's identity service: the tenants' way, with a proof of a second factor in the token."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.backoffice.events import SIGNED_IN_BY_IDENTITY_SERVICE
from apps.backoffice.sign_in.responses import onward_url, redirect_onward, redirect_to_step, render_page
from apps.backoffice.staff import context_of, viewer_of
from apps.core.audit import audit_append
from apps.core.observability import current_request_id
from apps.tenants.access import platform_role
from apps.tenants.models import User
from apps.tenants.oidc.attempts import Answer, Door, come_back, set_out, user_of
from apps.tenants.oidc.id_token import proves_second_factor
from apps.tenants.oidc.provider import is_open_to_staff
from apps.tenants.oidc.refusals import OidcError, OidcRefusal
from apps.tenants.sign_in.oidc import WORDS, Words, log_refusal
from apps.tenants.sign_in.sessions import begin_staff_session

_DOOR = Door("staff_oidc_attempts", "admin:oidc_callback")
_WORDS = {
    **WORDS,
    OidcRefusal.UNKNOWN_PERSON: Words(
        HTTPStatus.FORBIDDEN,
        "You have no account here",
        "The identity service knows you, but no account here has the id that it tells us.",
        "Ask a platform admin to make you a staff account, and whoever runs the identity service to send its id.",
    ),
    OidcRefusal.DEACTIVATED: Words(
        HTTPStatus.FORBIDDEN,
        "This account is deactivated",
        "The identity service knows you, but your account here is switched off.",
        "Ask a platform admin.",
    ),
    OidcRefusal.NOT_STAFF: Words(
        HTTPStatus.FORBIDDEN,
        "This account has no platform role",
        "The back office is only for staff with the role support, billing operations or platform admin.",
        "A platform admin can give you one. Your own organization's billing is under /billing/.",
    ),
    OidcRefusal.NO_PROOF: Words(
        HTTPStatus.FORBIDDEN,
        "No proof of a second factor",
        "The identity service says who you are, but not that you used a second factor.",
        "Set one up there and sign in again, or use your password and a code of your authenticator app here.",
    ),
}


@never_cache
@require_GET
def oidc_begin(request: HttpRequest) -> HttpResponse:
    """302 to the identity service. Where `acr` is the proof, it is asked for; there is no such question for `amr`."""
    if viewer_of(request) is not None:
        return redirect_onward(request)
    if not is_open_to_staff():
        return redirect_to_step(request, "login")
    claim, wanted = settings.STAFF_OIDC_PROOF
    asked = {"acr_values": wanted} if claim == "acr" else {}
    try:
        return HttpResponseRedirect(set_out(request, _DOOR, onward_url(request), **asked))
    except OidcError as error:
        return _show_refusal(request, error)


@never_cache
@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    """Verify the answer and its proof and sign the person in, or show why not."""
    try:
        if not is_open_to_staff():
            raise OidcError(OidcRefusal.NOT_BEGUN, "STAFF_OIDC is off")  # noqa: TRY301 - told as the others are
        answer = come_back(request, _DOOR)
        user = _find_staff(answer)
    except OidcError as error:
        if error.refusal is OidcRefusal.NOT_BEGUN and viewer_of(request) is not None:
            # The page that signed them in was loaded again.
            return HttpResponseRedirect(reverse("admin:index"))
        return _show_refusal(request, error)
    with transaction.atomic():
        begin_staff_session(request, user, settings.STAFF_OIDC_PROOF)
        audit_append(
            context_of(request),
            SIGNED_IN_BY_IDENTITY_SERVICE,
            user.audit_target,
            after={"proof": "=".join(settings.STAFF_OIDC_PROOF)},
        )
    return HttpResponseRedirect(answer.wanted or reverse("admin:index"))


def _find_staff(answer: Answer) -> User:
    """The member of staff who signed in with a second factor. Raises `OidcError`."""
    user = user_of(answer.subject)
    if platform_role(user) is None:
        raise OidcError(OidcRefusal.NOT_STAFF, f"user {user.pk} has no platform role")
    if not proves_second_factor(answer.claims, settings.STAFF_OIDC_PROOF):
        raise OidcError(OidcRefusal.NO_PROOF, f"the token lacks {'='.join(settings.STAFF_OIDC_PROOF)}")
    return user


def _show_refusal(request: HttpRequest, error: OidcError) -> HttpResponse:
    log_refusal(error)
    words = _WORDS[error.refusal]
    facts = {
        "words": words,
        "proof": settings.STAFF_OIDC_PROOF if error.refusal is OidcRefusal.NO_PROOF else None,
        "request_id": current_request_id(),
    }
    page = render_page(request, "oidc_refused", facts, status=words.status)
    if words.status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["Retry-After"] = "60"
    return page
