"""What `PUBLIC_URL` and the hosts of forms may look like: addresses that mails, links and redirects carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

from billing_site.configuration import hosts

_FORM = "such as https://billing.example.com"


def public_url(allowed_hosts: Sequence[str]) -> Callable[[str], str]:
    """Read an address without the slash at its end. Raises as `billing_site.configuration` does."""

    def read(text: str) -> str:
        refusal = _refusal(text, allowed_hosts)
        if refusal:
            raise ValueError(refusal)
        return text.rstrip("/")

    return read


def _refusal(text: str, allowed_hosts: Sequence[str]) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not text.isascii() or not text.isprintable() or " " in text:
        return f"is {text!r}; it must be an address, {_FORM}."
    if parts.username is not None or parts.path not in {"", "/"} or "?" in text or "#" in text:
        return f"is {text!r}; it must be scheme and host alone, {_FORM}, without user, path or query."
    if not validate_host(split_domain_port(parts.netloc)[0], allowed_hosts):
        return f"names the host {host!r}, which is not among DJANGO_ALLOWED_HOSTS; its links would lead nowhere."
    return ""


def page_hosts(text: str) -> list[str]:
    """Whole host names, where a form of ours may lead to."""
    found = hosts(text)
    if any(host == "*" or host.startswith(".") for host in found):
        raise ValueError("lists whole host names alone, such as pay.example.com, between commas.")
    return found
