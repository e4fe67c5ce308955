"""The short way to what machines ask all day (spec 11, Speed: outside session and CSRF middleware).

What stands before this middleware holds for them too: the request id, its log line, metrics and the security headers.
What stands after it (sessions, CSRF, messages, sign-in limits, pages) means nothing to a call with a service token or
with a provider's signature.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch, resolve


class HotPathMiddleware:
    """Calls the views at `settings.HOT_PATHS` at once. They answer every error themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._matches: dict[str, ResolverMatch] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path not in settings.HOT_PATHS:
            return self._get_response(request)
        request.get_host()  # refuses a host that is not ours, as Django's own middleware would
        match = self._matches.get(path)
        if match is None:
            match = self._matches[path] = resolve(path)
        request.resolver_match = match  # as Django sets it for all others
        response: HttpResponseBase = match.func(request)
        if not response.streaming:
            response.headers["Content-Length"] = str(len(getattr(response, "content", b"")))
        return response
