"""Where a visit from a product may lead back to: https, at a host that was registered for the product. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HOSTS_AT_MOST = 20
_HTTPS_PORT = 443
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}(?::|$))(?:{_LABEL}\.)+{_LABEL}(?::[1-9][0-9]{{0,4}})?", re.ASCII)


def registered_host(text: str) -> str:
    """The host in the form in which it is kept; raises `ValueError` with the sentence for the person who typed it.

    A name with a dot, and a port unless it is 443. No wildcards: whoever can make a name below one could be led to.
    """
    host = text.strip().lower().removesuffix(f":{_HTTPS_PORT}")
    if not _HOST.fullmatch(host) or host.replace(".", "").replace(":", "").isdigit():
        raise ValueError(f"{text.strip()!r} is no host; write names such as app.example.com, one a line.")
    return host


def leads_to(url: str) -> str | None:
    """The host that a browser would go to by this address; None for whatever is not a plain https address."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or not host or "@" in parts.netloc or not url.lower().startswith("https://"):
        return None
    return host if port in {None, _HTTPS_PORT} else f"{host}:{port}"
