"""Begins sessions, and remembers by what: a person who came by a mailed link may choose a password without the old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core import clock
from apps.tenants.link_rules import FRESH_FOR
from apps.tenants.models import User
from apps.tenants.oidc.provider import is_open_to_staff

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_METHOD, _SINCE = "signed_in_by", "signed_in_at"
_PROOF = "second_factor_proof"


class Method(Enum):
    """How the session began; a session that began with a password has no method."""

    LINK = "link"
    IDENTITY_SERVICE = "identity_service"
    PORTAL = "portal"
    STAFF_IDENTITY_SERVICE = "staff_identity_service"


def begin_session(request: HttpRequest, user: User, method: Method) -> None:
    """Sign the person in, with nothing left of the session before: neither its key nor what it knew."""
    request.session.flush()
    login(request, user, backend=_BACKEND)
    request.session[_METHOD] = method.value
    request.session[_SINCE] = clock.real_now().isoformat()


def is_fresh_by_link(request: HttpRequest) -> bool:
    """Whether this session was begun by a link out of the person's mailbox, a short time ago."""
    if request.session.get(_METHOD) != Method.LINK.value:
        return False
    return clock.real_now() < datetime.fromisoformat(request.session[_SINCE]) + FRESH_FOR


def begin_staff_session(request: HttpRequest, user: User, proof: tuple[str, str]) -> None:
    """Sign a member of staff in whose token proved a second factor: the session counts as having it."""
    begin_session(request, user, Method.STAFF_IDENTITY_SERVICE)
    request.session[_PROOF] = list(proof)
    user.has_proven_second_factor = True


def is_by_password(request: HttpRequest) -> bool:
    """Whether this session began with a password, the only first step that a code may follow."""
    return _METHOD not in request.session


def mark_by_password(request: HttpRequest) -> None:
    """A password was given in a session that may have begun otherwise: how it began counts no more."""
    for name in (_METHOD, _SINCE, _PROOF):
        request.session.pop(name, None)


class StaffSessionMiddleware:
    """Tells at each request that the session has its second factor from the identity service.

    It ends such a session once the settings no longer allow it, or ask for another proof.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Without a cookie there is no session, and nothing is to be read.
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            _judge_proof(request)
        return self.get_response(request)


def _judge_proof(request: HttpRequest) -> None:
    if request.session.get(_METHOD) != Method.STAFF_IDENTITY_SERVICE.value:
        return
    user = request.user
    if isinstance(user, User) and is_open_to_staff() and request.session.get(_PROOF) == list(settings.STAFF_OIDC_PROOF):
        user.has_proven_second_factor = True
    else:
        logout(request)
