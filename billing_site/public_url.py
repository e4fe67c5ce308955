"""Reads `PUBLIC_URL`: the address of this installation that mails, links and redirects carry."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host

_FORM = "such as https://billing.example.com"


def public_url(*, is_production: bool, allowed_hosts: Sequence[str]) -> str:
    """The address without a slash at its end. Raises `ImproperlyConfigured` with one sentence that has the remedy.

    Production has no default: a link in a mail must not be made from what a request says about its host.
    """
    text = os.environ.get("PUBLIC_URL", "")
    if not text and is_production:
        raise ImproperlyConfigured(
            "PUBLIC_URL is not set; DJANGO_ENV=production has no default for it. "
            f"Set it to the address at which people reach this installation, {_FORM}."
        )
    text = text or f"http://localhost:{os.environ.get('PORT', '') or '8000'}"
    refusal = _refusal(text, is_production, allowed_hosts)
    if refusal:
        raise ImproperlyConfigured(f"PUBLIC_URL {refusal}")
    return text.rstrip("/")


def _refusal(text: str, is_production: bool, allowed_hosts: Sequence[str]) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not text.isascii() or not text.isprintable() or " " in text:
        return f"is {text!r}; it must be an address, {_FORM}."
    if parts.username is not None or parts.path not in {"", "/"} or "?" in text or "#" in text:
        return f"is {text!r}; it must be scheme and host alone, {_FORM}, without user, path or query."
    if is_production and parts.scheme != "https":
        return f"is {text!r}; in production it must begin with https://."
    if not validate_host(split_domain_port(parts.netloc)[0], allowed_hosts):
        return f"names the host {host!r}, which is not among DJANGO_ALLOWED_HOSTS; its links would lead nowhere."
    return ""
