"""Begins sessions, and remembers by what: a person who came by a mailed link may choose a password without the old."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from django.contrib.auth import login
from django.http import HttpRequest

from apps.core import clock
from apps.tenants.link_rules import FRESH_FOR
from apps.tenants.models import User

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_METHOD, _SINCE = "signed_in_by", "signed_in_at"


class Method(Enum):
    """How the session began; a session that began with a password has no method."""

    LINK = "link"
    IDENTITY_SERVICE = "identity_service"
    PORTAL = "portal"


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
