"""What holds for every answer of the staff plane, refusals and missing pages included."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.cache import add_never_cache_headers


class StaffPlaneMiddleware:
    """No browser and no proxy keeps a page of the staff plane (spec 11, Security baseline)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith(reverse("admin:index")):
            add_never_cache_headers(response)
        return response
