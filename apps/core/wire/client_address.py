"""Where a request comes from, as limits count it: one IPv4 address, or one IPv6 network of 64 bits.

A subscriber gets at least 64 bits of IPv6, so counting single addresses would count nobody. `X-Forwarded-For` is read
only with `TRUSTED_PROXY`, and only its last entry: the proxy wrote that one, the client may have written the others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Protocol

from django.conf import settings

UNKNOWN = "unknown"
_SUBSCRIBER_BITS = 64
# What some proxies add to the address: brackets and a port.
_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>\d+\.\d+\.\d+\.\d+):\d+", re.ASCII)


class HasMeta(Protocol):
    """A request of Django, or one of REST framework around it."""

    @property
    def META(self) -> Mapping[str, Any]: ...  # noqa: N802 - Django's name


def client_address(request: HasMeta) -> str:
    """The address of the client, in one form for each subscriber."""
    if settings.TRUSTED_PROXY:
        forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2]
        found = _normal(forwarded)
        if found != UNKNOWN:
            return found
    return _normal(str(request.META.get("REMOTE_ADDR", "")))


def _normal(text: str) -> str:
    text = text.strip()
    match = _WITH_PORT.fullmatch(text)
    if match:
        text = match["six"] or match["four"]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SUBSCRIBER_BITS), strict=False))
