"""Reads the `OIDC_…` settings: all three or none, and an https issuer in production."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_OTHERS = ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")


def identity_service(*, is_production: bool) -> tuple[str, str, str]:
    """Issuer, client id and client secret; empty texts where no identity service is set.

    Raises `ImproperlyConfigured` with one sentence that names the variable and what it takes.
    """
    issuer, client_id, secret = (os.environ.get(name, "") for name in ("OIDC_ISSUER", *_OTHERS))
    if not issuer:
        extra = [name for name in _OTHERS if os.environ.get(name)]
        if extra:
            raise ImproperlyConfigured(f"{extra[0]} is set and OIDC_ISSUER is not; set all of them, or none.")
        return "", "", ""
    missing = [name for name in _OTHERS if not os.environ.get(name)]
    if missing:
        raise ImproperlyConfigured(f"OIDC_ISSUER is set and {missing[0]} is not; set all of them, or none.")
    parts = urlsplit(issuer)
    is_address = parts.scheme in {"http", "https"} and bool(parts.netloc) and "@" not in parts.netloc
    if not is_address or "?" in issuer or "#" in issuer:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {issuer!r}; it must be the issuer as the identity service writes it, such as "
            "https://id.example.com."
        )
    if is_production and parts.scheme != "https":
        raise ImproperlyConfigured(f"OIDC_ISSUER is {issuer!r}; in production it must begin with https://.")
    return issuer, client_id, secret
