"""The headers of every answer: pages, JSON, files, redirects, refusals and errors (spec 11, Security baseline).

Stands before every other middleware, so that it sees what they answer too, and what Django answers in their place when
something fails. It adds nothing that a page has decided for itself, with one exception: nothing but static files may
be stored by a browser or a proxy.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# What is no page needs nothing from anywhere, should a browser ever be made to show it as one.
POLICY_OF_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Of pages that no middleware gave one: Django's handlers, when the very first middleware fails.
POLICY_OF_PAGES = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
    ("X-Robots-Tag", "noindex, nofollow"),
)
_CSP, _CACHE = "Content-Security-Policy", "Cache-Control"


class SecurityHeadersMiddleware:
    """Adds what is missing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        add_security_headers(request.path_info, response)
        return response


def add_security_headers(path: str, response: HttpResponseBase) -> None:
    """Add to an answer what it did not decide itself. The web server calls this for what it answers before Django."""
    headers = response.headers
    for name, value in _ALWAYS:
        if name not in headers:
            headers[name] = value
    if not headers.get("Content-Type", "").startswith("text/html"):
        headers[_CSP] = POLICY_OF_DATA
    elif _CSP not in headers:
        headers[_CSP] = POLICY_OF_PAGES
    is_file = path.startswith(settings.STATIC_URL) and response.status_code < 400  # noqa: PLR2004
    if not is_file and "no-store" not in headers.get(_CACHE, ""):
        headers[_CACHE] = "no-store"
