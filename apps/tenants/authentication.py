"""Who calls the internal API: a bearer service token, or at the job endpoints a signed-in user instead (spec 02)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from apps.core.errors import (
    ForbiddenError,
    MalformedRequestError,
    Reason,
    UnauthenticatedError,
)
from apps.core.wire.client_address import client_address
from apps.tenants.access import person_of
from apps.tenants.contracts import Person
from apps.tenants.models import User
from apps.tenants.tokens import Caller, caller_of, remembered_caller

CHALLENGE = 'Bearer realm="countinghouse"'


class ServiceTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. `request.auth` is the caller; `request.user` stays anonymous."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not text:
            raise UnauthenticatedError("The Authorization header must read: Bearer <service token>.")
        text = text.strip()
        caller = remembered_caller(text)
        return AnonymousUser(), caller if caller is not None else caller_of(text, address=client_address(request))

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class _ExplainedSession(SessionAuthentication):
    """A session; a request without its CSRF token is told what is missing."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise ForbiddenError(
                "A request with a session must carry its CSRF token: send the cookie `csrftoken` in the header "
                "X-CSRFToken too, or use a service token instead of the session.",
                code="csrf_failed",
                title="The CSRF token is missing or wrong",
                explanation=[Reason("csrf", "deny", str(error.detail))],
            ) from None


def _has_session(request: Request) -> bool:
    # As DRF's own session authentication asks it: the user of Django's request, not of DRF's, which asks us.
    user = getattr(request._request, "user", None)  # noqa: SLF001
    return bool(user is not None and user.is_active)


class CronOrUserAuthentication(BaseAuthentication):
    """A cron token or a signed-in user; both on one request leave it open who acts, and are refused."""

    def authenticate(self, request: Request) -> tuple[Any, Caller | Person] | None:
        by_token = ServiceTokenAuthentication().authenticate(request)
        # Before the CSRF check: a request with two callers is refused as such, whatever its form carries.
        if by_token is not None and _has_session(request):
            raise MalformedRequestError(
                "The request carries a service token and a session. Send one of them, so that it is clear who acts.",
                code="ambiguous_principal",
                title="The request names two callers",
            )
        if by_token is not None:
            return by_token
        by_session = _ExplainedSession().authenticate(request)
        if by_session is None:
            return None
        user = by_session[0]
        if not isinstance(user, User):
            raise UnauthenticatedError("Sign in, or send a cron token.")
        return user, person_of(user)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE
