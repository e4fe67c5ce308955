"""The floor under every view: Django without middleware, one view that answers a short JSON text."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

SECRET_KEY = "of-the-bench-alone"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.benchmarks.bare"
MIDDLEWARE: list[str] = []
DEBUG = False


def answer(request: HttpRequest) -> HttpResponse:
    """What costs nothing but the framework and the server."""
    return HttpResponse(b'{"ok":true}', content_type="application/json")


urlpatterns = [path("bare", answer)]
