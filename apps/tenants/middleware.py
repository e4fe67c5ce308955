"""What holds for every answer of the tenant plane, refusals and missing pages included."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import add_never_cache_headers

TENANT_PATHS = ("/billing/", "/sign-in/", "/sign-out/", "/account/", "/portal/")


class BillingPagesMiddleware:
    """No browser and no proxy keeps a billing page, and no search engine lists one (spec 11, Security baseline)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith(TENANT_PATHS):
            add_never_cache_headers(response)
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response
