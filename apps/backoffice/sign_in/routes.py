"""Addresses of the sign-in, the only ones of the staff plane that a stranger gets an answer from."""

from __future__ import annotations

from django.urls import URLPattern, path

from apps.backoffice.sign_in.views import enrol, recover, second_factor, sign_in, sign_out


def sign_in_routes() -> list[URLPattern]:
    """The routes, to stand before the guarded ones."""
    return [
        path("login/", sign_in, name="login"),
        path("login/code/", second_factor, name="second_factor"),
        path("login/recovery/", recover, name="recover"),
        path("login/enrol/", enrol, name="enrol"),
        path("logout/", sign_out, name="logout"),
    ]
